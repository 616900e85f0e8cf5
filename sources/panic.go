package sources

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"strata/internal/fleet"
)

// Panicked makes an error of what recover returned: one line for the screen, and the stack into the log. Call it from the
// deferred function itself, so that the stack is that of the panic.
func Panicked(source, doing string, recovered any) error {
	slog.Default().Error("a source panicked", "source", source, "doing", doing, "panic", fmt.Sprint(recovered), "stack", string(debug.Stack()))
	said, _, _ := strings.Cut(fmt.Sprint(recovered), "\n")
	return &fleet.Trouble{
		Doing: doing, Cause: fmt.Errorf("panic: %s", said),
		Fix: "this is a bug; please report it with the stack in strata.log",
	}
}
