package libvirt

import "strconv"

// The words of `virsh domstate --reason`, by libvirt's numbers (virDomainState and its reasons).
func stateWord(state int) string {
	return word(state, "no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")
}

func reasonWord(state, reason int) string {
	switch state {
	case 1:
		return word(reason, "unknown", "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled",
			"save canceled", "event wakeup", "crashed", "post-copy", "post-copy failed")
	case 3:
		return word(reason, "unknown", "user", "migrating", "saving", "dumping", "I/O error", "watchdog", "from snapshot",
			"shutting down", "creating snapshot", "crashed", "starting up", "post-copy", "post-copy failed", "api error")
	case 4:
		return word(reason, "unknown", "user")
	case 5:
		return word(reason, "unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot", "daemon")
	case 6:
		return word(reason, "unknown", "panicked")
	}
	return word(reason, "unknown")
}

func word(n int, words ...string) string {
	if n >= 0 && n < len(words) {
		return words[n]
	}
	return "number " + strconv.Itoa(n)
}
