# `make` lists the targets; `make check` is what CI runs.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help build test check bench fuzz demo lab-openstack lab-kube lab-host lab-hosts lab-prometheus
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## one static binary, ./strata
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o strata .

test: ## the default tests
	go test ./...

check: ## everything CI runs
	.ci/run

bench: ## the benchmarks that the README's figures come from
	go test -run '^$$' -bench . -benchmem ./ui ./internal/... ./sources/...

fuzz: ## every fuzz target for half a minute
	lab/fuzz.sh 30s

demo: ## the simulated incident
	go run . demo

lab-openstack: ## a real Keystone and Nova on the loopback, strata run against it (about 10 minutes, root, Debian)
	lab/openstack/check.sh

lab-kube: ## a real kube-apiserver on the loopback, strata run against it (about 15 minutes the first time)
	lab/kube/check.sh

lab-host: ## a machine with systemd, drives, swap and libvirt in QEMU, strata run inside and over ssh (about an hour, root, Debian)
	lab/host/check.sh

lab-hosts: ## fifty machines behind one sshd in a network namespace, watched at once (about five minutes, root, openssh-server)
	lab/hosts/check.sh

lab-prometheus: ## a real Prometheus, Alertmanager and node_exporters on the loopback, strata run against them (about 4 minutes, root, Debian)
	lab/prometheus/check.sh
