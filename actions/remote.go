package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/internal/connect"
	"strata/internal/wire"
)

// abortWithin is how long an agent may take to stop an action and say what is left of it.
const abortWithin = time.Minute

// applyThere has the strata on another machine do an action with the very same code. It plans anew over there, keeps its
// own audit log, and tells its progress. When the conversation breaks after the order was given, it is not known what
// came of it.
func applyThere(ctx context.Context, there connect.Remote, do wire.Do, say func(Step)) error {
	talk, err := there.Hands(context.WithoutCancel(ctx), do)
	if err != nil {
		return err
	}
	defer talk.Close()
	stopped, giveUp := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case <-stopped:
			stopped = nil
			talk.Abort()
			timer := time.NewTimer(abortWithin)
			defer timer.Stop()
			giveUp = timer.C
		case <-giveUp:
			return &connect.Lost{Err: fmt.Errorf("%s does not say what is left", there.Name)}
		case did, ok := <-talk.Did:
			if !ok {
				return &connect.Lost{Err: fmt.Errorf("the agent on %s: %w", there.Name, talk.Why())}
			}
			switch phase := Phase(did.Phase); {
			case phase == Seen, phase == NotSeen: // this cockpit looks for itself
				say(Step{Says: "on " + there.Name + ": " + did.Phase, Output: did.Output})
				return nil
			case phase.Over():
				if did.Output != "" {
					say(Step{Says: "on " + there.Name + ": " + did.Phase, Output: did.Output})
				}
				return errors.New(did.Says)
			default:
				say(Step{Says: did.Says, Share: did.Share})
			}
		}
	}
}
