package connect

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"strata/internal/sh"
)

// What ssh prints, as OpenSSH 9 does in batch mode, and what is to be done about it.
func TestWhatSSHSaysIsToldApart(t *testing.T) {
	t.Parallel()
	const banner = `@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Offending ED25519 key in /root/.ssh/known_hosts:3
Host key for [10.0.0.9]:2222 has changed and you have requested strict checking.
Host key verification failed.
`
	far := Remote{Name: "far", Destination: "op@far"}
	for _, c := range []struct{ stderr, says, fix string }{
		{"Host key verification failed.\r\n", "is not known here yet", "ssh op@far true in a terminal"},
		{"No ED25519 host key is known for far and you have requested strict checking.\nHost key verification failed.\n", "is not known here yet", "ssh op@far true in a terminal"},
		{banner, "another one than the one that is known", `ssh-keygen -R '[10.0.0.9]:2222' once you know why`},
		{"op@far: Permission denied (publickey,password).\n", "op@far: Permission denied (publickey,password).", "ssh-copy-id op@far"},
		{"op@far: Permission denied (publickey).\n", "Permission denied (publickey)", "ssh-add, if your key has a passphrase"},
		{"Received disconnect from 10.0.0.9 port 22:2: Too many authentication failures\n", "Too many", "IdentitiesOnly"},
		{"ssh: connect to host far port 22: Connection timed out\n", "timed out", "nc -vz far 22"},
		{"ssh: connect to host far port 22: Connection refused\n", "refused", "start sshd there"},
		{"ssh: connect to host far port 22: No route to host\n", "No route", "ip route get far"},
		{"ssh: Could not resolve hostname far: Name or service not known\n", "resolve", "a Host far with HostName"},
		{"sudo: a password is required\n", "sudo", "op ALL=(root) NOPASSWD: /home/op/.cache/strata/*/strata"},
		{"kex_exchange_identification: read: Connection reset by peer\n", "kex_exchange", "try: ssh -o BatchMode=yes op@far true"},
	} {
		says := sshSays(c.stderr)
		if fix := far.Fix(says); !strings.Contains(says, c.says) || !strings.Contains(fix, c.fix) {
			t.Errorf("%q is told as %q, to do: %q", c.stderr, says, fix)
		}
	}
	odd := Remote{Destination: "me@a;reboot"}
	if fix := odd.Fix("Permission denied (password)"); !strings.Contains(fix, "'me@a;reboot'") {
		t.Errorf("a destination is not quoted: %s", fix)
	}
}

// A prompt would land on the screen of the cockpit: ssh may not ask, and its input is not the terminal.
func TestSSHNeverAsks(t *testing.T) {
	t.Parallel()
	r := Remote{Name: "far", Destination: "op@far", Program: func(ctx context.Context, c sh.Cmd) (*sh.Talk, error) {
		at := slices.Index(c.Argv, "--")
		if at < 0 || !slices.Contains(c.Argv[:at], "BatchMode=yes") || c.Argv[at+1] != "op@far" {
			t.Errorf("ssh is called as %q", c.Argv)
		}
		return sh.Start(ctx, sh.Cmd{Argv: []string{"sh", "-c", `[ -t 0 ] && echo "it is a terminal"; exit 3`}})
	}}
	talk, err := r.Agent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if says, _ := io.ReadAll(talk.Out); len(says) > 0 {
		t.Errorf("%s", says)
	}
	_ = talk.End()
}
