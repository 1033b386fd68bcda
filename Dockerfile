# The cloud. docker compose up cloud (compose.yaml) or several behind a load balancer (compose.scale.yaml).
FROM node:20-slim AS npm
COPY cloud_stub/pages/npm /npm
RUN npm ci --prefix /npm --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim
WORKDIR /opt/ratelock
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt && useradd --uid 1000 ratelock \
    && install -d -o ratelock -g ratelock -m 700 /ratelock
COPY firmware/pile_protocol firmware/pile_protocol
COPY cloud_stub cloud_stub
COPY tools tools
COPY --from=npm /npm/node_modules cloud_stub/pages/npm/node_modules
USER ratelock
ENV RATELOCK_DATA=/ratelock RATELOCK_HTTP_HOST=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /ratelock
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
CMD ["python", "-m", "cloud_stub", "serve"]
