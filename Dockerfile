# A small image that serves models: built from a packed package, run as nobody on a read-only root file system.
#   npm pack && docker build --build-arg PACKAGE=espalier-0.1.0.tgz -t espalier .
FROM node:20-bookworm-slim AS build
# Debian keeps one version of a package: a pinned one could not be had in a month.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends cmake make g++ python3 && rm -rf /var/lib/apt/lists/*
ARG PACKAGE=espalier-0.1.0.tgz
WORKDIR /app
COPY ${PACKAGE} /tmp/espalier.tgz
RUN npm init --yes > /dev/null && npm install --omit=dev --omit=peer --no-audit --no-fund /tmp/espalier.tgz

FROM node:20-bookworm-slim
ENV NODE_ENV=production
COPY --from=build /app /app
WORKDIR /app
USER 65534:65534
EXPOSE 8080 9000
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/node_modules/espalier/dist/cli/main.js"]
CMD ["serve", "/mnt/models", "--host", "0.0.0.0", "--http-port", "8080", "--grpc-port", "9000"]
