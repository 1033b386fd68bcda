"""Every setting of the cloud, read once from RATELOCK_* environment variables (and DATABASE_URL)."""

import ipaddress
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .base.tokens import read_or_create_secret

# As DATABASE_URL may begin; db.engine chooses the driver.
DATABASES = ("sqlite", "postgres", "postgresql", "postgresql+psycopg")
CONNECTOR_POWER_MIN_W, CONNECTOR_POWER_MAX_W = 100, 1_000_000_000


def addresses(listed: str) -> list[str]:
    return [each.strip() for each in listed.split(",") if each.strip()]


class Settings(BaseSettings):
    """The defaults are for one machine; units are in the names.

    Raises pydantic.ValidationError, which names what is wrong.
    """

    model_config = SettingsConfigDict(
        env_prefix="RATELOCK_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    data: Path = Path(".ratelock")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    # The certificate (with its chain) and its key, both in PEM: set together, they make it HTTPS.
    http_cert: Path | None = None
    http_key: Path | None = None
    # Reverse proxies, by address or network, separated by commas: the only ones whose X-Forwarded-For is
    # believed. Never a network that phones are in.
    trusted_proxies: str = "127.0.0.1,::1"
    # The address at which phones reach this cloud; the QR codes of the labels contain it.
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/?#]+/?$")
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = Field(default=1883, ge=1, le=65535)
    # The CA's certificate. If set, the connection to the broker is TLS, and the broker's name is verified.
    mqtt_ca: Path | None = None
    # Where piles reach the broker (HOST:PORT; without HOST: where the page is), and the CA that they trust.
    # The set-up page proposes both.
    piles_broker: str | None = Field(default=None, pattern=r"^[^\s/:]{0,253}:[0-9]{1,5}$")
    piles_ca: Path | None = None
    mqtt_password: str | None = None
    mqtt_client_id: str = "cloud"
    # The group of a shared subscription. If set, the workers of the group share the incoming messages.
    mqtt_share: str | None = Field(default=None, pattern="^[^/+#]+$")
    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    operator_token: str | None = Field(default=None, min_length=8)

    # The token of a broker that asks over HTTP who may connect. If not set, all such requests are refused.
    broker_token: str | None = Field(default=None, min_length=8)
    # Who the operator is for OCPI, and where the sites are (docs/ocpi.md). If not set, nothing is exported.
    ocpi_file: Path | None = None
    # The password of the bridge at the broker of Home Assistant (`home-assistant --broker`).
    home_assistant_password: SecretStr | None = None
    # A token for /metrics only. The operator's token is accepted there too.
    metrics_token: str | None = Field(default=None, min_length=8)

    order_life_s: int = Field(default=60, ge=1, le=300)
    # How long after an order's expiry the pile's answer is waited for. It must exceed the time for which a
    # pile that has just greeted waits for the cloud's (the firmware's HELLO_ANSWER_MS, 4 s).
    expiry_grace_s: int = Field(default=5, ge=0, le=300)
    duration_s: int = Field(default=12 * 3600, ge=1, le=86_400)
    command_life_s: int = Field(default=300, ge=1, le=86_400)
    # The most that a connector can carry, in watts, unless its pile has a value of its own. 43 kW is the
    # strongest AC connector; a settlement with more is flagged.
    connector_power_w: int = Field(default=50_000, ge=CONNECTOR_POWER_MIN_W, le=CONNECTOR_POWER_MAX_W)
    meter_sample_s: int = Field(default=10, ge=1, le=3600)
    duty_period_s: int = Field(default=1, ge=1, le=60)
    # How long a write may take from its request. After that the answer is 503, and nothing is done.
    write_s: int = Field(default=5, ge=1, le=60)
    # How often a worker looks for changes that other workers made to orders watched here.
    reread_ms: int = Field(default=500, ge=10, le=60_000)
    # A pile sends a status every 30 s. After this time without a message it counts as offline, whatever the
    # broker says.
    pile_silent_s: int = Field(default=90, ge=10, le=86_400)
    # An order is lost if its pile has sent nothing for this time after the order's latest end.
    order_lost_after_s: int = Field(default=86_400, ge=60, le=31_536_000)
    # How drivers pay: `after` charging, with nothing held; or with a hold before it, by the provider `test`,
    # which moves no money, or by `stripe`.
    payment: str = Field(default="after", pattern="^(after|test|stripe)$")
    # Stripe's keys; docs/payments.md tells where they come from. stripe_api: another address, for tests.
    stripe_secret_key: SecretStr | None = None
    stripe_publishable_key: str | None = Field(default=None, pattern="^pk_")
    stripe_webhook_secret: SecretStr | None = None
    stripe_api: str | None = None
    # How long a provider's answer is waited for; an open call is looked up after twice this time.
    payment_call_s: int = Field(default=10, ge=1, le=120)
    # How long a driver has for a step that the provider asks for, and how long a hold waits for its order.
    hold_confirm_s: int = Field(default=900, ge=10, le=86_400)
    hold_orphan_s: int = Field(default=120, ge=1, le=86_400)
    # How long after an order was lost its hold is kept, in case the settlement arrives.
    hold_lost_s: int = Field(default=2 * 86_400, ge=0, le=30 * 86_400)
    # Webhooks: whether they may lead into private networks, and without TLS; how long one may take to answer;
    # after how many days an event is given up, and a webhook that takes nothing disabled.
    webhook_private: bool = False
    webhook_s: int = Field(default=10, ge=1, le=60)
    webhook_days: int = Field(default=3, ge=1, le=30)
    # The mail server for receipts; without a host no driver is offered one. mail_s: for each of its answers.
    mail_host: str | None = None
    mail_port: int = Field(default=587, ge=1, le=65535)
    mail_security: str = Field(default="starttls", pattern="^(starttls|tls|none)$")
    mail_user: str | None = None
    mail_password: SecretStr | None = None
    mail_from: str | None = Field(default=None, pattern=r"^[!-~]+@[A-Za-z0-9.-]+$")
    mail_s: int = Field(default=10, ge=1, le=30)
    # For tests: an event that the state of its order does not know also raises.
    raise_unknown_events: bool = False
    # Meter values of orders older than this are thinned, then dropped.
    meter_thin_after_days: int = Field(default=30, ge=1, le=36_500)
    meter_drop_after_days: int = Field(default=400, ge=1, le=36_500)
    # Over the air: how many piles download at once, how many bytes a second all of them get together, and how
    # long a pile that was offered something may be silent before it counts as lost.
    updates_at_once: int = Field(default=1, ge=1, le=1000)
    update_bytes_per_s: int = Field(default=65_536, ge=1024, le=100_000_000)
    update_lost_after_s: int = Field(default=7200, ge=60, le=604_800)
    rejects_kept: int = Field(default=10_000, ge=1)
    events_kept: int = Field(default=1_000_000, ge=1)
    body_max_bytes: int = Field(default=65_536, ge=1024)
    # How many requests one client address may send; 0 is no limit. Thousands of phones may share an address.
    orders_per_minute: int = Field(default=120, ge=0)
    quotes_per_minute: int = Field(default=1200, ge=0)
    sign_ins_per_minute: int = Field(default=10, ge=0)
    # A session of the console ends when it is not used for this time, and at the latest after the second.
    session_idle_s: int = Field(default=8 * 3600, ge=300, le=30 * 86_400)
    session_s: int = Field(default=7 * 86_400, ge=300, le=90 * 86_400)
    # If a request has not arrived completely by then, its connection is closed.
    request_s: int = Field(default=20, ge=1, le=600)

    @field_validator("*", mode="before")
    @classmethod
    def _check_text(cls, value: Any) -> Any:
        """Raises ValueError for bytes of the environment that are not UTF-8."""
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("must be UTF-8")
        return value

    @field_validator("http_host", "mqtt_host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        """Raises ValueError for what can be no host name: an empty or a too long part between its dots."""
        try:
            value.encode("idna")
        except UnicodeError:
            raise ValueError("must be a host name or an address") from None
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str | None) -> str | None:
        """Raises ValueError for what is neither a PostgreSQL server nor a file of SQLite."""
        if value is None:
            return None
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):  # the latter of a port that is no number
            url = None
        in_memory = url is not None and url.drivername == "sqlite" and url.database in (None, "", ":memory:")
        if url is None or in_memory or url.drivername not in DATABASES:
            raise ValueError("must be such as postgresql://user@host/name or sqlite:////path/cloud.db")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        """Raises ValueError for what is no address, and for a network of all addresses."""
        for each in addresses(value):
            if ipaddress.ip_network(each).prefixlen == 0:
                raise ValueError(f"{each} is every address")
        return value

    @model_validator(mode="after")
    def _check_certificate(self) -> "Settings":
        """Raises ValueError for a certificate without a key, or the other way round."""
        if (self.http_cert is None) != (self.http_key is None):
            raise ValueError("RATELOCK_HTTP_CERT and RATELOCK_HTTP_KEY must be set together")
        return self

    @model_validator(mode="after")
    def _check_stripe(self) -> "Settings":
        """Raises ValueError where a key is missing."""
        keys = ("stripe_secret_key", "stripe_publishable_key", "stripe_webhook_secret")
        missing = [f"RATELOCK_{key.upper()}" for key in keys if getattr(self, key) is None]
        if self.payment == "stripe" and missing:
            raise ValueError("RATELOCK_PAYMENT=stripe needs " + ", ".join(missing))
        return self

    @model_validator(mode="after")
    def _check_mail(self) -> "Settings":
        """Raises ValueError for a mail server without a sender, and for a password sent in the clear."""
        if self.mail_host and not self.mail_from:
            raise ValueError("RATELOCK_MAIL_HOST needs RATELOCK_MAIL_FROM")
        if (self.mail_user is None) != (self.mail_password is None):
            raise ValueError("RATELOCK_MAIL_USER and RATELOCK_MAIL_PASSWORD must be set together")
        if self.mail_user and self.mail_security == "none":
            raise ValueError("RATELOCK_MAIL_PASSWORD needs RATELOCK_MAIL_SECURITY=starttls or tls")
        return self

    @property
    def proxies(self) -> list[str]:
        """`trusted_proxies`, each an IP address or a network."""
        return addresses(self.trusted_proxies)

    @property
    def database(self) -> str:
        """The database's address: DATABASE_URL, or a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'cloud.db'}"

    @property
    def base_url(self) -> str:
        """Where phones reach this cloud; without RATELOCK_PUBLIC_URL only those of this machine do."""
        own = f"{self.http_scheme}://{self.http_host}:{self.http_port}"
        return (self.public_url or own).rstrip("/")

    @property
    def http_scheme(self) -> str:
        return "https" if self.http_cert else "http"

    @property
    def broker_folder(self) -> Path:
        return self.data / "broker"

    @property
    def boards_folder(self) -> Path:
        """Firmware for boards, one zip each (piles/board_packages.py)."""
        return self.data / "boards"

    def prepare(self) -> None:
        """Make the data folder, readable by its owner alone."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read_operator_token(self) -> str:
        """The operator's token: the one set, else the one kept in the data folder, made when missing."""
        return self.operator_token or read_or_create_secret(self.data / "operator.token")

    def read_mqtt_password(self) -> str:
        """The cloud's password at the broker, shared with the broker through a file of mode 0600."""
        return self.mqtt_password or read_or_create_secret(self.broker_folder / "cloud.password")
