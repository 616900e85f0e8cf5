package actions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// inWords says what an OpenStack API refused, why, and what to do about it. role is the one that is enough by the
// default policy. A lost answer stays one.
func inWords(ctx context.Context, cloud *connect.OpenStack, role, doing string, err error) error {
	var lost *connect.Lost
	if errors.As(err, &lost) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	trouble := cloud.Cloud.Trouble(doing, err)
	answer, ok := connect.AnswerOf(err)
	var login *connect.LoginError
	if !ok || errors.As(err, &login) {
		return trouble
	}
	said := *answer
	said.Message = strings.TrimSuffix(said.Message, ".")
	var words string
	switch answer.Status {
	case http.StatusForbidden:
		if strings.Contains(answer.Message, "unlock_override") { // an admin locked it
			role = "admin"
		}
		words = whoLacks(ctx, cloud, role)
	case http.StatusNotFound:
		words = "it is gone, or the project of this login does not have it"
	case http.StatusConflict:
		words = "it changed meanwhile: look at it again"
	default:
		return trouble
	}
	return &fleet.Trouble{Doing: trouble.Doing, Cause: fmt.Errorf("%w: %s", &said, words), Fix: words}
}

// whoLacks names the user with its roles, the role that is enough, and the command that grants it.
func whoLacks(ctx context.Context, cloud *connect.OpenStack, role string) string {
	me, err := cloud.Whoami(ctx)
	if err != nil {
		return fmt.Sprintf("this needs the role %s", role)
	}
	user, project := me.User, me.Project
	if slices.Contains(me.Roles, role) {
		return fmt.Sprintf("user %s has the role %s in project %s, which is enough by nova's defaults: this cloud's policy.yaml wants more", user, role, project)
	}
	grant := sh.Quote("openstack", "role", "add", "--user", user, "--project", project, role)
	return fmt.Sprintf("user %s has the role %s in project %s, and this needs %s; an admin grants it: %s",
		user, strings.Join(me.Roles, ", "), project, role, grant)
}

// okOrAccepted are the options of a POST that answers 200 or 202.
func okOrAccepted() *gophercloud.RequestOpts {
	return &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusAccepted}}
}

// minorOf returns n of a microversion 2.n.
func minorOf(microversion string) int {
	minor := 1
	_, _ = fmt.Sscanf(microversion, "2.%d", &minor) // 1 is what a Nova without any has
	return minor
}
