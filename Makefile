# Every target does its own set-up. Paths are relative, so that the folder's name may hold spaces.
PYTHON_IN_VENV = .venv/bin/python
SETUP = @sh tools/setup.sh
# Each worker has a system of its own. They wait more than they compute, so four keep two cores busy.
PARALLEL = -n 4 --dist worksteal

FAST = tests/portable tests/pricing tests/system/test_orders.py \
	$(addprefix tests/cloud/test_,orders.py life.py settlements.py settlement_rules.py rates.py payments.py)

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-fast check run site setup docs screenshots console bench fleet clean chaos fuzz netstorm certs powercut deploy provision flash romfs release release-key heap test-device

help: ## This list
	@echo "RateLock: the price you confirm is the price you pay."
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what example; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; \
		if [ -n "$$example" ]; then printf '%20s%s\n' "" "$${example# }"; fi; done

demo: ## The whole story from nothing: scan, confirm, charge, stop, settle, pay; ARGS=update: releases over the air; ARGS=ebike: a socket by the hour in power tiers
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.demo $(ARGS)

test: ## Every test; ARGS narrows it | make test ARGS="tests/cloud -k rate"
	$(SETUP) dev
	@exec $(PYTHON_IN_VENV) -m pytest $(PARALLEL) $(ARGS)

test-long: ## Longer forms of some tests, which `make test` leaves out
	$(SETUP) dev
	@exec $(PYTHON_IN_VENV) -m pytest $(PARALLEL) -m long $(ARGS)

test-fast: ## Prices, the pile's core, orders and settlements in the cloud, and a few whole orders (about a minute)
	$(SETUP) dev
	@exec $(PYTHON_IN_VENV) -m pytest $(PARALLEL) $(FAST) -k "not postgresql" $(ARGS)

check: ## Lint, format, types on both Pythons, import arrows, no floats near money, generated docs
	$(SETUP) dev
	@exec $(PYTHON_IN_VENV) -m tools.check

run: ## Broker, cloud and one simulated pile on this machine, until Ctrl-C (settings: docs/operation.md)
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.run

site: ## Broker and cloud for a network, encrypted, with a CA made at the first start | make site NAMES="192.0.2.7 pile.example.org"
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.site $(NAMES) $(ARGS)

chaos: ## Random kill -9 of firmware, cloud and broker during orders, then an audit | make chaos ROUNDS=10 SEED=1
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.harness.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

fuzz: ## Damaged bytes for every decoder, under MicroPython and CPython | make fuzz INPUTS=10000 SEED=1
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.harness.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

netstorm: ## A hostile network under many piles, with the control loop's lateness measured | make netstorm CLIENTS=20 SEED=1
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.harness.netstorm $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(SEED),--seed $(SEED))

certs: ## A CA and the broker's certificate, for MQTT over TLS | make certs NAMES="broker.example.org 192.0.2.7"
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.harness.certs $(NAMES)

powercut: ## Power cuts at every single flash operation of whole orders, and the flash's life | make powercut SEED=7
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.harness.powercut $(if $(SEED),--seed $(SEED))

deploy: ## The firmware onto a board, what has changed of it | make deploy BOARD=esp32-s3-devkitc PORT=/dev/ttyUSB0
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.board.deploy "$(BOARD)" "$(PORT)"

provision: ## Wi-Fi, broker, id and key onto a board; the pile is registered at the cloud | make provision PORT=/dev/ttyUSB0 ARGS="--device-id PILE-7 --broker 192.0.2.7:8883 --ca .ratelock/certs/ca.pem --cloud https://192.0.2.7:8443"
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.board.provision "$(PORT)" $(ARGS)

flash: ## A downloaded MicroPython image onto a board | make flash IMAGE=ESP32_GENERIC_S3-20250911-v1.26.1.bin PORT=/dev/ttyUSB0 ARGS=--erase
	$(SETUP) flash
	@exec $(PYTHON_IN_VENV) -m tools.board.flash "$(IMAGE)" "$(PORT)" $(ARGS)

romfs: ## A ROMFS image of a board's firmware in build/ | make romfs BOARD=esp32-s3-devkitc
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.board.romfs "$(BOARD)"

release: ## A signed release of this commit for every board, into build/ (docs/updates.md) | make release KEY=release-key.pem
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.image.release make "$(KEY)" $(ARGS)

release-key: ## The keys that sign releases, made once and kept offline | make release-key KEY=release-key.pem
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.image.release key "$(KEY)" $(ARGS)

heap: ## What the firmware takes of a chip's heap: by module, and over a whole order
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.board.heap

test-device: ## Tests on a real board, nothing wired to its relay | make test-device PORT=/dev/ttyUSB0
	$(SETUP) dev
	@RATELOCK_DEVICE_PORT="$(PORT)" exec $(PYTHON_IN_VENV) -m pytest tests/device $(ARGS)

bench: ## RateLock against its parts with no business logic: docs/performance.md | make bench ONLY=pricing
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

fleet: ## N real firmwares, kills and a broker restart in the middle, then the books | make fleet N=100 MINUTES=1
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.bench.fleet $(if $(N),--piles $(N)) $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

setup: ## Only the set-up: .venv from the pinned requirements
	$(SETUP) dev

docs: ## Regenerate what is generated: docs/asyncapi.yaml
	$(SETUP) dev
	@exec $(PYTHON_IN_VENV) -m tools.asyncapi --write

screenshots: ## Pictures of every page into build/screenshots; --pictures renews the README's | make screenshots ARGS=--pictures
	$(SETUP) dev
	@exec $(PYTHON_IN_VENV) -m tools.screenshots $(ARGS)

console: ## Watch piles in the terminal (docs/console.md) | make console ARGS="--mqtt mqtt://127.0.0.1:1883"
	$(SETUP) run
	@exec $(PYTHON_IN_VENV) -m tools.console $(ARGS)

clean: ## Remove what was built: .venv, caches (never the data folder .ratelock)
	rm -rf .venv .setup.lock .pytest_cache .ruff_cache .hypothesis build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
