# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# Every command of the project. Each is a thin line over the tool that does the work, and works without make as well.

# A fresh login over ssh often names a locale the machine does not have, and Ansible then refuses to start.
export LC_ALL := C.UTF-8
# Molecule wraps what commands print to the width of its frame.
export MOLECULE_COMMAND_BORDERS := 0
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHON ?= python3
# The pinned LiteLLM, where `make litellm` has made it: the unit tests then ask it, too.
export LITELLM_PYTHON ?= $(wildcard $(CURDIR)/.cache/litellm/bin/python)

# Which inventory to act on; ARGS goes to ansible-playbook as it is (ARGS='--check --diff').
INVENTORY ?= inventories/local
ARGS ?=
play = ansible-playbook -i $(INVENTORY)
# The embedded inventory needs a user manager: this machine's, or that of a throw-away host.
local = $(filter inventories/local,$(INVENTORY:/=))
throwaway = $(and $(local),$(wildcard inventories/local/throwaway.yml))

.PHONY: help
help:
	@echo "make COMMAND [INVENTORY=$(INVENTORY)] [ARGS='--check --diff']"
	@sed -nE 's/^## (.*)/\n\1/p; s/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 14

## Operate
.PHONY: deploy validate status drift swap watch unwatch destroy
deploy: .venv/.deploy  ## converge the hosts to the declaration, then show that every promise holds
	$(if $(local),tools/local-host up)
	$(play) playbooks/deploy.yml $(ARGS)
	$(if $(findstring --check,$(ARGS)),,$(play) playbooks/validate.yml)

validate: .venv/.deploy  ## show with evidence that what runs is what is declared; changes nothing
	ANSIBLE_CALLBACKS_ENABLED=lab.llm_stack.validate $(play) playbooks/validate.yml $(ARGS)

status: .venv/.deploy  ## look at every promise and write reports/: a page, Markdown, JSON, JUnit, metrics, alerts
	$(play) playbooks/status.yml $(ARGS)

drift: .venv/.deploy  ## whether what serves is what is declared, in reports/ too; fails where it is not
	ANSIBLE_CALLBACKS_ENABLED=lab.llm_stack.drift $(play) playbooks/drift.yml --diff $(ARGS)

swap: .venv/.deploy  ## let another model of a slot serve, prove it, or bring the one before back (TO=model)
	$(play) playbooks/swap.yml -e '{"to": "$(or $(TO),$(error Say which model is to serve: make swap TO=model))"}' $(ARGS)

watch: .venv/.deploy  ## drift and status on a schedule, by a timer of this account (WATCH_EVERY=hourly)
	$(play) playbooks/watch.yml $(if $(WATCH_EVERY),-e '{"watch_every": "$(WATCH_EVERY)"}') $(ARGS)

unwatch: .venv/.deploy  ## remove that timer
	$(play) playbooks/watch.yml -e watch_state=absent $(ARGS)

destroy: .venv/.deploy  ## remove the throw-away host where there is one, else the services from the hosts
	$(if $(throwaway),tools/local-host down,$(play) playbooks/remove.yml $(ARGS))

## Ask
.PHONY: explain check-config fit
explain: .venv/.deploy  ## which layer set a value at the gateway, where, and what it overrode (KEY=router_settings.timeout)
	$(play) playbooks/explain.yml -e '{"key": "$(KEY)"}' $(ARGS)

check-config: .venv/.deploy  ## find what LiteLLM would serve wrongly in a file of its own (CONFIG=file.yaml)
	@tools/check-config $(or $(CONFIG),$(error Say which file: make check-config CONFIG=file.yaml)) $(ARGS)

fit:  ## whether a model fits on a card, from its files alone (MODEL=folder|file.gguf GPU=16GiB CONTEXT= UTILISATION=)
	@tools/fit "$(or $(MODEL),$(error Say which model: make fit MODEL=folder GPU=16GiB))" \
		--gpu "$(or $(GPU),$(error Say how much memory the card has: make fit MODEL=$(MODEL) GPU=16GiB))" \
		$(if $(CONTEXT),--context $(CONTEXT)) $(if $(UTILISATION),--utilisation $(UTILISATION)) $(ARGS)

## Develop
.PHONY: test lint unit molecule wheels litellm sanity bench
test: lint unit molecule  ## everything that must hold before a commit: lint, unit, molecule

lint: .venv/.develop  ## ruff, mypy, yamllint, ansible-lint, shell syntax
	tools/lint

unit: .venv/.develop  ## the pure core and the collection's own rules
	@# What fails beside others on a busy machine, such as a time limit, has to pass alone; both results are shown.
	python -m pytest -n auto || python -m pytest --last-failed --last-failed-no-failures none

molecule: .venv/.develop  ## the roles and playbooks on real systemd hosts in containers
	molecule/run

wheels: .venv/.develop  ## build llama.cpp's Python server once (5 minutes), so that the scenario engines tests it too
	tools/llama-cpp-python-wheel

litellm: .cache/litellm/.made  ## install the pinned LiteLLM once, so that the unit tests ask it what it says of configurations

sanity: .venv/.develop  ## ansible-test, docs, changelog, and the built tarball, installed and deployed
	tools/sanity

bench: .venv/.develop  ## what a clean run costs, beside an empty play, plain tasks and pyinfra; with up to 50 hosts
	tests/bench/run
	tests/bench/fleet
	tests/bench/switch

## Maintain
.PHONY: pin lock docs changelog clean
pin: .venv/.deploy  ## pin a model's commit, or a release's checksums, in the inventory (MODEL=name REVISION= | RELEASE=ollama TAG=)
	@tools/pin --inventory $(INVENTORY) $(if $(RELEASE),release $(RELEASE) --tag \
		"$(or $(TAG),$(error Say which release: make pin RELEASE=$(RELEASE) TAG=...))",model \
		"$(or $(MODEL),$(error Say what to pin: make pin MODEL=name, or make pin RELEASE=llamacpp TAG=...))" \
		$(if $(REVISION),--revision $(REVISION))) $(ARGS)

lock: .venv/.deploy  ## turn requirements/*.in and roles/*/files/*.in into hash-locked files (ARGS=--upgrade: newest)
	tools/lock $(ARGS)

docs: .venv/.develop  ## write the option tables of the roles' READMEs from their argument_specs
	tools/role-docs

changelog: .venv/.develop  ## turn changelogs/fragments into the release that galaxy.yml names
	antsibull-changelog release

clean:  ## remove what the commands above made in this checkout, .venv included
	rm -rf .venv .cache .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/output lab-llm_stack-*.tar.gz

.venv/.%: requirements/%.txt tools/controller-env
	tools/controller-env $*

.cache/litellm/.made: roles/litellm/files/requirements.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --disable-pip-version-check -qq --require-hashes -r $<
	touch $@
