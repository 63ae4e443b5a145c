# The program and its plugins, built from this folder, in an image with nothing else in it that is ours.
FROM rust:1.95.0-bookworm AS build
# What the image has. By rust-toolchain.toml, rustup would fetch formatter, linter and targets that nobody uses here.
ENV RUSTUP_TOOLCHAIN=1.95.0
RUN rustup target add wasm32-unknown-unknown
WORKDIR /src
COPY . .
# The caches stay when this layer is built again: then only crates that have changed are compiled. A cache is not part
# of the layer, so what is needed of it is copied out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --release --package host \
    && cargo build --locked --profile plugin --target wasm32-unknown-unknown --package threshold --package zscore \
    && install -D --target-directory /out/bin target/release/host \
    && install -D --mode 644 --target-directory /out/bin/plugins \
        target/wasm32-unknown-unknown/plugin/threshold.wasm target/wasm32-unknown-unknown/plugin/zscore.wasm

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="host" \
      org.opencontainers.image.description="Streams a transactions CSV through a sandboxed WebAssembly detector into PostgreSQL, in one transaction" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# Any user may be chosen with --user, so everybody can write into the folder, and nobody replace what is another's.
# Debian keeps only the newest version of a package, so a version that is named here would soon not be found.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-log-init --no-create-home --home-dir /srv --shell /usr/sbin/nologin ingest \
    && chmod 1777 /srv
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/host/
# The plugins beside the program, where it looks for them by name.
COPY --from=build /out/bin /usr/local/bin
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
# Plugins that are added, and those that are compiled, are kept below the home folder: a volume on it keeps them.
ENV HOME=/srv
WORKDIR /srv
ENTRYPOINT ["host"]
