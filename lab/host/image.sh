# shellcheck shell=bash
# The image of the host lab: a Debian root file system without a partition table, and the kernel and initrd that boot
# it. To be sourced by lab.sh.

SUITE=${LAB_SUITE:-bookworm}
NEEDED="qemu-system-x86 qemu-utils mmdebstrap e2fsprogs openssh-client socat kmod"

# The kernel of clouds has no AHCI and no hwmon: the usual one it is.
WANTED="systemd systemd-sysv systemd-container dbus udev libpam-systemd polkitd openssh-server
	linux-image-amd64 initramfs-tools zstd kmod iproute2 util-linux procps
	smartmontools nvme-cli lm-sensors i2c-tools sg3-utils dmsetup e2fsprogs fio
	libvirt-daemon-system libvirt-clients libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils seabios
	sudo jq libcap2-bin busybox-static python3-minimal cpio strace"

# What nobody here reads or plugs in.
LEFT_OUT=('/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/share/info/*' '/lib/modules/*/kernel/sound/*'
	'/lib/modules/*/kernel/drivers/gpu/*' '/lib/modules/*/kernel/drivers/media/*' '/lib/modules/*/kernel/drivers/net/*')
LEFT_IN="virtio_net net_failover tun dummy veth"

# Services that cost a slow machine its time, and timers that would disturb measuring.
MASKED="systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
	e2scrub_reap.service smartmontools.service nvmf-autoconnect.service lm-sensors.service libvirt-guests.service"

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

apt_install() { # PACKAGE...
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" \
		>"$LAB/apt.log" 2>&1
}

install_packages() {
	local name missing=()
	for name in $NEEDED; do installed "$name" || missing+=("$name"); done
	[ ${#missing[@]} = 0 ] && return
	[ "$(id -u)" = 0 ] || die "these packages are needed, and to install them root: ${missing[*]}"
	say "packages: installing ${missing[*]}"
	apt-get -o DPkg::Lock::Timeout=300 update -qq >/dev/null
	apt_install "${missing[@]}" || {
		tail -20 "$LAB/apt.log" >&2
		die "apt-get failed"
	}
}

# make_files puts what is ours in the image into a folder.
make_files() { # FOLDER
	mkdir -p "$1"/etc/{initramfs-tools/conf.d,initramfs-tools/hooks,systemd/network,ssh/sshd_config.d} "$1/root/.ssh"
	printf 'MODULES=list\nBUSYBOX=n\n' >"$1/etc/initramfs-tools/conf.d/lab"
	cat >"$1/etc/initramfs-tools/hooks/lab" <<-'H'
		#!/bin/sh
		[ "$1" != prereqs ] || exit 0
		. /usr/share/initramfs-tools/hook-functions
		for m in virtio_pci virtio_blk ext4; do force_load "$m"; done
	H
	chmod 755 "$1/etc/initramfs-tools/hooks/lab"
	printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n' >"$1/etc/systemd/network/10-lab.network"
	printf 'nameserver 10.0.2.3\n' >"$1/etc/resolv.conf"
	printf 'hostlab\n' >"$1/etc/hostname"
	printf '127.0.0.1 localhost hostlab\n' >"$1/etc/hosts"
	printf '/dev/vda / ext4 defaults,errors=remount-ro 0 1\n' >"$1/etc/fstab"
	printf 'UseDNS no\nPermitRootLogin prohibit-password\n' >"$1/etc/ssh/sshd_config.d/lab.conf"
	install -m 600 "$KEY.pub" "$1/root/.ssh/authorized_keys"
	chmod 700 "$1/root/.ssh"
}

# finish is run in the new root.
finish() {
	cat <<-E
		useradd -m -s /bin/bash op
		cp -r /root/.ssh /home/op/ && chown -R op:op /home/op/.ssh
		chown -R 0:0 /root /etc/ssh/sshd_config.d
		echo uninitialized >/etc/machine-id
		systemctl enable systemd-networkd ssh libvirtd.socket virtlogd.socket
		systemctl disable libvirtd.service
		systemctl mask $(tr -s ' \n\t' ' ' <<<"$MASKED")
		true
	E
}

make_root() { # FOLDER
	local name rules=() mirror
	for name in "${LEFT_OUT[@]}"; do rules+=(--dpkgopt="path-exclude=$name"); done
	for name in $LEFT_IN; do rules+=(--dpkgopt="path-include=/lib/modules/*/kernel/drivers/net/$name.ko"); done
	# The mirror that this machine itself uses.
	# shellcheck disable=SC2016 # apt's variable
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
	make_files "$1/files"
	finish >"$1/finish"
	mmdebstrap --variant=apt --mode=root --include="$(tr -s ' \n\t' , <<<"$WANTED")" \
		--aptopt='APT::Install-Recommends "false"' "${rules[@]}" \
		--essential-hook="copy-in $1/files/etc $1/files/root /" \
		--customize-hook="chroot \"\$1\" sh -e <$1/finish" \
		"$SUITE" "$1/root" "$mirror" >"$LAB/mmdebstrap.log" 2>&1 || {
		tail -20 "$LAB/mmdebstrap.log" >&2
		die "mmdebstrap failed"
	}
}

# make_sensor builds the module labtemp, whose temperatures "lab temp" sets. The lab works without.
make_sensor() { # FOLDER
	local kernel module=$1/module
	kernel=$(basename "$1"/root/lib/modules/*)
	if ! installed "linux-headers-$kernel" && ! apt_install "linux-headers-$kernel" make; then
		say "no headers of $kernel: an image without the sensor (there is lab temp-lm75)"
		return
	fi
	mkdir "$module"
	cp "$HERE/guest/labtemp.c" "$module"
	echo 'obj-m := labtemp.o' >"$module/Makefile"
	if ! make -s -C "/lib/modules/$kernel/build" M="$module" modules >"$LAB/labtemp.log" 2>&1; then
		say "the sensor does not compile: an image without it (there is lab temp-lm75)"
		return
	fi
	strip --strip-debug "$module/labtemp.ko"
	install -D -m 644 "$module/labtemp.ko" "$1/root/lib/modules/$kernel/extra/labtemp.ko"
	chroot "$1/root" depmod "$kernel"
}

build() {
	mkdir -p "$LAB"
	install_packages
	if [ -s "$LAB/base.img" ]; then
		say "image: there already"
		return
	fi
	[ "$(id -u)" = 0 ] || die "building the image needs root"
	local work=$LAB/work
	rm -rf "$work" "$LAB/root.qcow2"
	mkdir -p "$work"
	[ -s "$KEY" ] || ssh-keygen -q -t ed25519 -N '' -C strata-lab -f "$KEY"
	make_root "$work"
	say "image: $(du -sm "$work/root" | cut -f1) MiB of files"
	make_sensor "$work"
	cp "$work"/root/boot/vmlinuz-* "$LAB/vmlinuz"
	cp "$work"/root/boot/initrd.img-* "$LAB/initrd.img"
	truncate -s 6G "$work/base.img"
	mke2fs -q -F -t ext4 -L lab-root -E lazy_itable_init=0,nodiscard -d "$work/root" "$work/base.img"
	mv "$work/base.img" "$LAB/base.img"
	rm -rf "$work"
	say "image: built, $(du -m "$LAB/base.img" | cut -f1) MiB"
}
