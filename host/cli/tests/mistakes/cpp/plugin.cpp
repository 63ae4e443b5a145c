// Makes the mistake that its setting `mistake` names, in its first batch.

#include <cassert>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>

#include "contract.hpp"

using namespace contract;

// Not known to the compiler.
static void *volatile nothing;
static volatile size_t five = 5;

[[gnu::noinline]] static int deeper(volatile int *depth) {
    volatile char frame[256] = {0};
    *depth = *depth + 1;
    return *depth == 0 ? 0 : deeper(depth) + frame[*depth % 256];
}

class Mistaken : public Detector {
    std::string mistake;

    Metadata describe() override {
        return {
            .name = "mistaken",
            .version = "0.1.0",
            .description = "Makes mistakes.",
            .settings = {{.name = "mistake", .kind = SettingKind::text, .default_value = "none", .doc = "Which mistake to make."}},
            .ordering = Ordering::any,
        };
    }

    Result<std::vector<ColumnRequest>> configure(const Settings &settings) override {
        mistake = *settings.text("mistake");
        if (mistake == "refused")
            return refuse("mistake", "anything else would be right");
        if (mistake == "columns")
            return std::vector<ColumnRequest>{
                {"note", ColumnKind::text, true},
                {"risk", ColumnKind::number, true},
                {"nowhere", ColumnKind::text, false},
            };
        return {};
    }

    Result<std::vector<Anomaly>> classify(const Batch &batch) override {
        std::vector<Anomaly> anomalies;
        std::vector<int> numbers = {1, 2, 3};
        if (mistake == "columns") {
            for (uint32_t row = 0; row < batch.amounts.size(); row++) {
                std::string note(std::get<TextColumn>(batch.columns[0])[row]);
                double risk = std::get<NumberColumn>(batch.columns[1])[row];
                char number[32] = "empty";
                if (!std::isnan(risk))
                    std::snprintf(number, sizeof number, "%g", risk);
                bool is_absent = std::holds_alternative<std::monostate>(batch.columns[2]);
                anomalies.push_back({row, 1, note + ", " + number + (is_absent ? ", absent" : ", there")});
            }
        } else if (mistake == "null-pointer") {
            std::printf("%d is there\n", *static_cast<int *>(nothing));
        } else if (mistake == "array-index") {
            std::printf("%d is there\n", numbers[five]);
        } else if (mistake == "vector-at") {
            std::printf("%d is there\n", numbers.at(five));
        } else if (mistake == "wrong-alternative") {
            std::printf("%d is there\n", std::get<int>(std::variant<std::monostate, int>()));
        } else if (mistake == "no-value") {
            std::optional<int> none;
            std::printf("%d is there\n", none.value());
        } else if (mistake == "deleted-twice") {
            int *number = new int(1);
            delete number;
            int *volatile again = number;
            delete again;
        } else if (mistake == "overrun") {
            char *volatile memory = new char[4];
            memory[five] = 1;
            delete[] memory;
        } else if (mistake == "virtual-of-null") {
            static_cast<Detector *>(nothing)->~Detector();
        } else if (mistake == "printing") {
            std::printf("printed: %d ", 1);
            std::puts("and ü");
            std::fprintf(stderr, "to stderr\n");
            log(Level::info, "logged");
        } else if (mistake == "time") {
            auto now = std::chrono::system_clock::now().time_since_epoch().count();
            auto before = std::chrono::steady_clock::now(), after = std::chrono::steady_clock::now();
            std::printf("time %lld, clock %s\n", static_cast<long long>(now), after > before ? "counts" : "stands still");
        } else if (mistake == "random") {
            std::random_device device;
            std::printf("%u\n", device());
        } else if (mistake == "file") {
            std::printf("%s\n", std::fopen("/etc/passwd", "r") ? "opened" : "not opened");
        } else if (mistake == "environment") {
            const char *home = std::getenv("HOME");
            std::puts(home == nullptr ? "nothing" : home);
        } else if (mistake == "divide-by-zero") {
            std::printf("%zu is there\n", numbers.size() / (five - 5));
        } else if (mistake == "endless-loop") {
            while (five > 0) {
            }
        } else if (mistake == "endless-recursion") {
            volatile int depth = 0;
            deeper(&depth);
        } else if (mistake == "too-much-memory") {
            std::vector<std::string> texts;
            for (;;)
                texts.emplace_back(1 << 20, 'x');
        } else if (mistake == "assertion") {
            assert(five == 6);
        } else if (mistake == "abort") {
            std::abort();
        } else if (mistake == "terminate") {
            std::terminate();
        } else if (mistake == "exit") {
            std::exit(0);
        } else if (mistake == "internal") {
            return internal("no idea");
        } else if (mistake == "reason-unprintable") {
            anomalies.push_back({0, 1, "\x1b[2J\n\xff ü\xe2\x80\xae"});
        } else if (mistake == "reason-too-long") {
            anomalies.push_back({0, 1, std::string(2000, 'x')});
        }
        return anomalies;
    }
};

std::unique_ptr<Detector> contract::detector() {
    return std::make_unique<Mistaken>();
}
