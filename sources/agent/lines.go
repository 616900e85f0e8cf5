package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"strata/internal/wire"
)

// errLong: a line that long is no agent's.
var errLong = errors.New("it sends a line that has no end")

// badLines is how many lines in a row may be no lines of an agent before the conversation is given up: banners and the
// output of somebody's .bashrc come first on some machines.
const badLines = 100

// readLines reads lines until the end of the conversation.
func readLines(ctx context.Context, from io.Reader, to chan<- wire.Line) error {
	scan := bufio.NewScanner(from)
	scan.Buffer(make([]byte, 0, 64<<10), wire.MaxLine)
	bad := 0
	for scan.Scan() {
		l, err := wire.DecodeLine(scan.Bytes())
		if err != nil {
			if bad++; bad > badLines {
				return fmt.Errorf("it does not speak as an agent: %.80q", scan.Text())
			}
			continue
		}
		bad = 0
		select {
		case to <- l:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if errors.Is(scan.Err(), bufio.ErrTooLong) {
		return errLong
	}
	return scan.Err()
}

// owns reports whether a source is of a machine: "host/NAME", "libvirt/NAME".
func owns(name, source string) bool {
	_, of, ok := strings.Cut(source, "/")
	return ok && of == name && !strings.HasPrefix(source, "agent/")
}
