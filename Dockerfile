# One image, three commands: `replog-node` (the default), `replog` and `replog-operator`.
# What runs comes from the locked and hashed list and from our wheel: no compiler, no sources (so no
# folder `operator` that could hide a module).
# BASE is any image with Python 3.11 or newer as `python`, and what venv needs.
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS libraries
COPY requirements.lock /build/
RUN python -m venv /opt/replog \
 && /opt/replog/bin/python -m pip install --no-cache-dir --only-binary :all: --require-hashes -r /build/requirements.lock

# The builder comes from the lock too.
FROM ${BASE} AS wheel
WORKDIR /build
COPY requirements-dev.lock ./
RUN python -m venv /tmp/builder \
 && /tmp/builder/bin/python -m pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY pyproject.toml README.md LICENSE ./
# Each root by itself: one COPY of both would pour their contents together.
COPY operator operator
COPY node node
RUN /tmp/builder/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation -w /tmp/wheel .

FROM ${BASE}
LABEL org.opencontainers.image.title="Replicated Log" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=libraries /opt/replog /opt/replog
# Copied, not mounted: builders such as buildah 1.28 don't look into a mount before they take a step
# from their cache, and would install the wheel of an older tree.
COPY --from=wheel /tmp/wheel /tmp/wheel
RUN /opt/replog/bin/python -m pip install --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl \
 && mkdir /data && chown 65532:65532 /data
ENV PATH=/opt/replog/bin:$PATH PYTHONUNBUFFERED=1 REPLOG_DATA_DIR=/data
USER 65532:65532
VOLUME /data
EXPOSE 7401 7411
STOPSIGNAL SIGTERM
ENTRYPOINT ["replog-node"]
