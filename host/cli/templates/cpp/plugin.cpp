// Flags round amounts: people who make up transactions tend to make up round ones.

#include "contract.hpp"

using namespace contract;

class MyDetector : public Detector {
    // In hundredths; also here: whatever it learns in a run.
    int64_t minimum_cents = 0;

    Metadata describe() override {
        return {
            .name = "my-detector",
            .version = "0.1.0",
            .description = "Flags round amounts from `minimum` up. The score is the amount.",
            .settings = {{
                .name = "minimum",
                .kind = SettingKind::decimal,
                .default_value = "10",
                .doc = "Round amounts from this one up are anomalous.",
            }},
            // Each row is judged by itself. See the WIT for the other two orderings.
            .ordering = Ordering::any,
        };
    }

    Result<std::vector<ColumnRequest>> configure(const Settings &settings) override {
        std::optional<int64_t> cents = settings.cents("minimum");
        if (!cents || *cents < 0)
            return refuse("minimum", "it must be an amount such as `12.50`");
        minimum_cents = *cents;
        // No further columns.
        return {};
    }

    Result<std::vector<Anomaly>> classify(const Batch &batch) override {
        std::vector<Anomaly> anomalies;
        for (uint32_t row = 0; row < batch.amounts.size(); row++) {
            int64_t cents = batch.amounts[row];
            if (cents >= minimum_cents && cents % 100 == 0)
                anomalies.push_back({
                    .row = row,
                    .score = double(cents) / 100.0,
                    .reason = std::to_string(cents / 100) + ".00 is a round amount",
                });
        }
        return anomalies;
    }
};

std::unique_ptr<Detector> contract::detector() {
    return std::make_unique<MyDetector>();
}
