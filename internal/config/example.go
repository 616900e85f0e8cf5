package config

// Example is a configuration with every key at its default, for `strata config init`.
const Example = `# strata's settings. Every line shows the default; a key that is left out keeps it.
# Secrets do not belong here: strata takes them from clouds.yaml, the kubeconfig and ssh-agent.
# strata config check tells whether this file is good.

# Start without the ability to change anything, as "strata watch" does.
readOnly: false

# When a cockpit that is not read-only may act: always, or ask: only after ":write 10m REASON" was typed in it.
write: always

# Clouds of clouds.yaml to watch. Empty: OS_CLOUD, else the OS_* variables, else every cloud of the file.
clouds: []

# Contexts of the kubeconfig to watch. Empty: the current one.
contexts: []

# Other machines to watch, over the system's own ssh. strata copies itself into the cache folder of the user there.
hosts: []
#  - name: openstack-host
#    ssh: root@10.0.0.2   # or a Host of ~/.ssh/config; without it the name
#    sudo: false          # start the agent with sudo -n, so that it can read SMART
#    allow: [unit-limit]  # actions that may be done there; without it all

# Endpoints to dial again and again: whether users get through, how fast, and since when.
checks: []
#  - name: shop
#    url: http://10.0.0.28:30080/health # of tcp and mysql instead: address: 10.0.0.28:30306
#    type: http             # tcp, http, or mysql, whose greeting is read without a login: each look counts there as a
#                           # connection that broke off, so let max_connect_errors be large, or dial seldom
#    from: openstack-host   # one of hosts, whose agent dials; without it this machine
#    every: 15s             # mysql: 1m
#    timeout: 5s
#    status: 200            # without it anything below 400
#    text: UP               # that must be in the page
#    tls: shop.example      # the name that the certificate must be for
#    ca: /etc/ssl/our-ca.pem # who may have signed it too: a file on the machine that dials; or insecure: true for any
#    on: k8s-worker-1       # the node, server or host that it stands on, where its address does not tell

# A Prometheus that scrapes node_exporter, smartctl_exporter or a libvirt exporter on more machines than ssh is for. One,
# or a list of several. A machine that strata watches itself is not taken from it.
prometheus: []
#  - name: fleet                    # without it the host of the url
#    url: https://prometheus:9090
#    alertmanager: https://alerts:9093 # its alerts stand beside the findings; it gets the same login
#    user: strata                   # basic auth, with its password in a file or a variable
#    passwordFile: /etc/strata/prometheus.password
#    passwordEnv: PROMETHEUS_PASSWORD
#    tokenFile: /etc/strata/prometheus.token # or a bearer token
#    tokenEnv: PROMETHEUS_TOKEN
#    caFile: /etc/ssl/prometheus-ca.pem # who signed its certificate

# How often to look. Kubernetes is not polled: its API server pushes.
poll:
  openstack: 5s # changed servers, not below 2s
  host: 2s      # load, temperatures and disk rates, not below 1s
  smart: 5m     # SMART of each disk, not below 1m
  prometheus: 15s # what Prometheus has of all its machines, not below 5s

ui:
  # Draw with ASCII characters only. Without this it is found out from the locale and TERM.
  ascii: false
  mouse: true

# Where each deed is written down, as an absolute path.
# The default is $XDG_STATE_HOME/strata/audit.jsonl, which is mostly ~/.local/state/strata/audit.jsonl.
#audit:
#  path: /var/log/strata/audit.jsonl
`
