# shellcheck shell=bash
# A fleet on the loopback: a real Prometheus behind TLS and a password, a real Alertmanager, and real node_exporters of
# three machines. Two of those have names of their own (UTS namespaces), one a /sys with sensors and a text file as
# smartctl_exporter writes it; of one machine there is a real libvirt exporter too, over the test driver of libvirt. To be sourced; WORK must be a folder. Everything ends with fleet_down.

PROM_PORT=19390 ALERT_PORT=19393 NODE_PORT=19391 VIRT_PORT=19177
PASSWORD=test
# bcrypt of that password
PASSWORD_HASH='$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay'

# fleet_programs puts Debian's programs into $BIN, without installing them.
fleet_programs() {
	BIN=${STRATA_LAB_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/strata-lab/prometheus}
	mkdir -p "$BIN"
	local package
	for package in prometheus prometheus-node-exporter prometheus-alertmanager prometheus-libvirt-exporter; do
		[ ! -x "$BIN/usr/bin/$package" ] || continue
		(cd "$WORK" && apt-get download -qq "$package" >/dev/null 2>&1 && dpkg -x "$package"_*.deb "$BIN") ||
			{ echo "cannot get $package: run apt-get update first" && return 1; }
	done
	SHARE=$BIN/usr/share
	BIN=$BIN/usr/bin
}

# begin NAME COMMAND...: starts a program of the fleet.
begin() {
	local name=$1
	shift
	"$@" >"$WORK/$name.log" 2>&1 &
	echo $! >"$WORK/$name.pid"
}

# end NAME [SIGNAL]
end() {
	[ -e "$WORK/$1.pid" ] || return 0
	kill -"${2:-TERM}" "$(cat "$WORK/$1.pid")" 2>/dev/null
	wait "$(cat "$WORK/$1.pid")" 2>/dev/null
	rm -f "$WORK/$1.pid"
}

fleet_down() {
	local pid
	for pid in "$WORK"/*.pid; do
		[ ! -e "$pid" ] || end "$(basename "$pid" .pid)" KILL
	done
}

node() { # NAME ADDRESS [FLAG...]
	local name=$1 address=$2 own=()
	shift 2
	[ "$name" = own ] || own=(unshare --uts -- sh -c 'hostname "$0" && exec "$@"' "$name")
	begin "node-$name" "${own[@]}" "$BIN/prometheus-node-exporter" --web.listen-address="$address:$NODE_PORT" "$@"
}

prometheus_up() {
	begin prometheus "$BIN/prometheus" --config.file="$WORK/prometheus.yml" --web.config.file="$WORK/web.yml" \
		--web.listen-address="127.0.0.1:$PROM_PORT" --storage.tsdb.path="$WORK/tsdb" --web.console.libraries= --web.console.templates=
}

asks() { # PATH [CURL-FLAG...]: of Prometheus
	curl -sS --max-time 5 --cacert "$WORK/ca.pem" -u "strata:$PASSWORD" "https://localhost:$PROM_PORT$1" "${@:2}"
}
value() { # QUERY: its first value
	asks /api/v1/query -G --data-urlencode "query=$1" | jq -r '.data.result[0].value[1] // empty'
}
value_is() { [ "$(value "$1" 2>/dev/null)" = "$2" ]; }

alerts() { curl -s --max-time 5 "http://127.0.0.1:$ALERT_PORT/api/v2/$1" "${@:2}"; }

fleet_files() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$WORK/key.pem" -out "$WORK/ca.pem" \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
	cat >"$WORK/web.yml" <<-END
		tls_server_config: {cert_file: $WORK/ca.pem, key_file: $WORK/key.pem}
		basic_auth_users: {strata: '$PASSWORD_HASH'}
	END
	cat >"$WORK/prometheus.yml" <<-END
		global: {scrape_interval: 2s, evaluation_interval: 2s}
		rule_files: [$WORK/rules.yml]
		alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:$ALERT_PORT']}]}]}
		scrape_configs:
		  - job_name: node
		    static_configs: [{targets: ['127.0.0.1:$NODE_PORT', '127.0.0.2:$NODE_PORT', '127.0.0.3:$NODE_PORT']}]
		  - job_name: libvirt
		    static_configs: [{targets: ['127.0.0.2:$VIRT_PORT']}]
	END
	cat >"$WORK/rules.yml" <<-'END'
		groups:
		  - name: lab
		    rules:
		      - {alert: LabFires, expr: 'vector(1)', labels: {severity: critical}, annotations: {summary: the lab is on fire}}
		      - {alert: LabSilenced, expr: 'vector(1)', labels: {severity: warning}}
		      - {alert: LabDown, expr: 'up == 0', labels: {severity: critical}, annotations: {summary: '{{ $labels.instance }} is down'}}
	END
	cat >"$WORK/alertmanager.yml" <<-'END'
		route: {receiver: nobody, group_wait: 1s}
		receivers: [{name: nobody}]
	END
	mkdir -p "$WORK/sys/class/hwmon/hwmon0" "$WORK/text"
	local at=$WORK/sys/class/hwmon/hwmon0
	echo coretemp >"$at/name"
	echo 71000 >"$at/temp1_input"
	echo 84000 >"$at/temp1_max"
	echo 100000 >"$at/temp1_crit"
	echo 'Package id 0' >"$at/temp1_label"
	cat >"$WORK/text/smart.prom" <<-'END'
		smartctl_device{device="nvme0",firmware_version="EXA7301Q",interface="nvme",model_name="SAMSUNG MZVLB512HBJQ",protocol="NVMe",serial_number="S4GENX0N"} 1
		smartctl_device_smart_status{device="nvme0"} 1
		smartctl_device_smartctl_exit_status{device="nvme0"} 0
		smartctl_device_temperature{device="nvme0",temperature_type="current"} 44
		smartctl_device_percentage_used{device="nvme0"} 7
		smartctl_device_media_errors{device="nvme0"} 5
		smartctl_device_num_err_log_entries{device="nvme0"} 2787
		smartctl_device_critical_warning{device="nvme0"} 0
		smartctl_device_available_spare{device="nvme0"} 100
		smartctl_device_available_spare_threshold{device="nvme0"} 10
	END
}

node_b() { node lab-b 127.0.0.3 --path.sysfs="$WORK/sys" --collector.textfile.directory="$WORK/text"; }

fleet_up() {
	fleet_files
	node own 127.0.0.1
	node lab-a 127.0.0.2
	node_b
	begin libvirt "$BIN/prometheus-libvirt-exporter" --libvirt.uri=test:///default --web.listen-address="127.0.0.2:$VIRT_PORT"
	# It reads its templates from /usr/share, which is the package's in a mount namespace of its own.
	begin alertmanager unshare --mount -- sh -c 'mount --bind "$0" /usr/share && exec "$@"' "$SHARE" "$BIN/prometheus-alertmanager" --config.file="$WORK/alertmanager.yml" --web.listen-address="127.0.0.1:$ALERT_PORT" \
		--storage.path="$WORK/alerts" --cluster.listen-address=
	prometheus_up
	until_true 60 value_is 'count(up == 1)' 4 || { echo "Prometheus does not scrape" && tail -5 "$WORK"/*.log && return 1; }
	alerts silences -H 'Content-Type: application/json' -d "$(jq -n '{matchers: [{name: "alertname", value: "LabSilenced", isRegex: false, isEqual: true}],
		startsAt: (now | todate), endsAt: (now + 3600 | todate), createdBy: "lab", comment: "quiet"}')" >/dev/null
	until_true 60 fires LabFires && until_true 60 fires LabSilenced || { echo "no alert fires" && return 1; }
	sleep 4 # a rate needs two samples
}
fires() { alerts alerts | jq -e --arg name "$1" 'any(.labels.alertname == $name)' >/dev/null; }
