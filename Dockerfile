# The operator's image: without torch, without compilers, not root.
#
#   docker build --tag headstart-operator:0.2.0 .
#
# BASE is any image with Python 3.11 or newer, its venv and pip. Both stages use the same one: the
# virtual environment that the first makes refers to its Python.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/operator.txt requirements/
# What builds the wheel has an environment of its own, which stays in this stage. Wheels only: nothing is
# compiled, and no package runs its own code to be installed.
RUN python3 -m venv /build \
    && /build/bin/python -m pip install --require-hashes --only-binary=:all: -r requirements/build.txt \
    && python3 -m venv --without-pip /opt/headstart \
    && /build/bin/python -m pip --python=/opt/headstart/bin/python install \
        --require-hashes --only-binary=:all: -r requirements/operator.txt
COPY pyproject.toml README.md LICENSE ./
COPY cli cli
COPY operator operator
COPY policy policy
COPY training training
RUN /build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir=/wheels . \
    && /build/bin/python -m pip --python=/opt/headstart/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="Headstart operator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/headstart /opt/headstart
# The root file system may be read-only: everything is compiled, and nothing is written.
ENV PATH=/opt/headstart/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that a kubelet can tell that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["headstart"]
CMD ["operator"]
