# CPU image: docker build -t imagedataextractor . && docker run --rm -v "$PWD:/data" imagedataextractor extract figure.png
FROM python:3.11-slim AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
# The CPU build of PyTorch first: the one that pip would choose brings gigabytes of GPU libraries.
RUN pip install --no-cache-dir --only-binary :all: torch --index-url https://download.pytorch.org/whl/cpu
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --only-binary :all: --find-links /wheels imagedataextractor && rm -r /wheels \
    && useradd --create-home ide
USER ide
WORKDIR /data
ENTRYPOINT ["ide"]
CMD ["--help"]
