# Two stages: the first has a compiler, the second has the program and what it needs to run, and nothing else.

# The version is written out so that a build tomorrow uses the compiler of today; bookworm because its glibc (2.36) is
# that of the runtime image below. The full image, not -slim: aws-lc-sys compiles C.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src

# .dockerignore is a list of what may come in, so this cannot pick up a key file that lies about.
COPY . .

# The cache mounts keep the downloaded and the compiled dependencies between builds: after a change of ours only our own
# crate is compiled. (A layer with a stub in place of src/ would do the same, but breaks on every new target in
# Cargo.toml.) The mounts are not part of the image, hence the copy in the same step. `--locked`: exactly the versions
# of Cargo.lock, or no image.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --bin ci-gateway \
    && cp target/release/ci-gateway /ci-gateway

# glibc, libgcc_s and the CA bundle, without a shell, a package manager or curl: little to patch and nothing for an
# intruder to use. `cc` and not `static`, because the name look-up of glibc cannot be linked statically.
FROM gcr.io/distroless/cc-debian12:nonroot

LABEL org.opencontainers.image.title="ci-gateway" \
      org.opencontainers.image.description="Holds the Tencent Cloud keys so that nobody else has to" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /ci-gateway /usr/local/bin/ci-gateway

# By number, so that Kubernetes can see that it is not root (`runAsNonRoot`). Key files have to belong to this user and
# be readable by nobody else.
USER 65532:65532

# Business and admin. Inside a container the configuration has to say `listen = "0.0.0.0:8080"` under [server], since
# the default is loopback; publish 9090 only to those who watch the gateway.
EXPOSE 8080 9090

# The image has no curl: the program asks itself. A start takes milliseconds, so the first question may come soon.
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s --retries=3 \
    CMD ["/usr/local/bin/ci-gateway", "healthcheck"]

# The exec form: the program is process 1 and gets SIGTERM itself, on which it drains. Give it the time with
# `docker stop --time`, or `terminationGracePeriodSeconds`, above `drain_timeout`.
ENTRYPOINT ["/usr/local/bin/ci-gateway"]
CMD ["serve", "--config", "/etc/ci-gateway/gateway.toml"]
