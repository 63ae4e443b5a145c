# Builds the host and the plugins, and keeps only those.
FROM rust:1.95-bookworm AS build
WORKDIR /src
RUN rustup target add wasm32-unknown-unknown wasm32-wasip2
COPY . .
RUN cargo build --release --locked --package host \
    && cargo xtask plugins

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home ingest
COPY --from=build /src/target/release/host /usr/local/bin/host
# Where the host looks for plugins by name: beside itself.
COPY --from=build /src/target/release/plugins/threshold.wasm /src/target/release/plugins/zscore.wasm /usr/local/bin/plugins/
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/host/
USER ingest
WORKDIR /srv
ENTRYPOINT ["host"]
