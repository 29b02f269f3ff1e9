# One image for every role; the role is the command (Procfile, k8s/base). The last stage is what is shipped.
#
#   docker build -t inventory-sync .                       the product
#   docker build -t inventory-sync-simulators --target simulators .   the product and simulated vendors, for the demo

# The Python that CI tests on.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN python -m venv --without-pip /opt/venv \
    && python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes -r requirements/build.lock \
    && /opt/build/bin/python -m pip --python /opt/venv/bin/python install --require-hashes --no-compile \
        -r requirements/runtime.lock
COPY pyproject.toml README.md ./
COPY models models
COPY workers workers
COPY api api
# Compiled here, since nothing can be written later; found unchanged whatever the files' times.
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/build/bin/python -m pip --python /opt/venv/bin/python install --no-deps --no-compile /wheel/*.whl \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv


FROM python:3.11-slim-bookworm AS app
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Inventory Sync" \
      org.opencontainers.image.description="Keeps the stock of shops equal to Business Central" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="python:3.11-slim-bookworm"
# Nothing is installed in a running container.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.11/ensurepip \
        /usr/local/lib/python3.11/site-packages/pip* \
        /usr/local/lib/python3.11/site-packages/setuptools* \
        /usr/local/lib/python3.11/site-packages/wheel* \
    && groupadd --gid 10001 app \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app
COPY --from=build /opt/venv /opt/venv
# The root file system may be read-only: only /tmp and /dev/shm are ever written.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    WEBHOOK_PORT=8000
WORKDIR /tmp
USER 10001:10001
CMD ["inventory-sync", "--help"]


FROM app AS simulators
COPY tests/__init__.py /opt/simulators/tests/__init__.py
COPY tests/simulators /opt/simulators/tests/simulators
ENV PYTHONPATH=/opt/simulators
CMD ["python", "-m", "tests.simulators"]


FROM app AS runtime
