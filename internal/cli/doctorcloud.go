package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// newestMinor asks for a compute microversion that does not exist yet: the client settles on the newest there is.
const newestMinor = 1 << 20

// examineCloud asks who strata is in a cloud and how far its token reaches. in is false when the login failed.
func examineCloud(ctx context.Context, cloud connect.Cloud) (subject *of, me connect.Identity, in bool) {
	subject = &of{subject: "OpenStack cloud " + cloud.Name}
	if cloud.From != "" {
		subject.subject += " (" + cloud.From + ")"
	}
	if cloud.Err() != nil {
		subject.trouble("configured", cloud.Err())
		return subject, me, false
	}
	client := cloud.ForReading(versionOf().Version)
	defer client.Close()
	me, err := client.Whoami(ctx)
	if err != nil {
		subject.trouble("login", cloud.Trouble("logging in to "+cloud.AuthURL(), err))
		return subject, me, false
	}
	subject.add(fine, "login", whoIs(me)+" at "+cloud.AuthURL(), "")
	nova, err := client.Compute(ctx, newestMinor)
	if err != nil {
		subject.trouble("compute API", cloud.Trouble("reading the versions", err))
		return subject, me, true
	}
	subject.add(fine, "compute API", "microversion "+nova.Microversion+" at "+nova.Endpoint, "")
	everyProject(ctx, subject, cloud, nova, me)
	return subject, me, true
}

func whoIs(me connect.Identity) string {
	says := "user " + orID(me.User, me.UserID)
	if me.ProjectID != "" {
		says += ", project " + orID(me.Project, me.ProjectID)
	}
	if len(me.Roles) > 0 {
		says += ", roles " + strings.Join(me.Roles, " ")
	}
	if !me.Expires.IsZero() {
		says += ", token until " + me.Expires.UTC().Format(time.RFC3339)
	}
	return says
}

func orID(name, id string) string {
	if name != "" {
		return name
	}
	return id
}

// everyProject tells whether the token may list the servers of all projects.
func everyProject(ctx context.Context, subject *of, cloud connect.Cloud, nova *gophercloud.ServiceClient, me connect.Identity) {
	const name = "sees all projects"
	answer, err := nova.Get(ctx, nova.ServiceURL("servers?all_tenants=True&limit=1"), nil, &gophercloud.RequestOpts{
		KeepResponseBody: true, OkCodes: []int{http.StatusOK},
	})
	if err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20)) // only the status matters
		_ = answer.Body.Close()
		subject.add(fine, name, "yes", "")
		return
	}
	if a, ok := connect.AnswerOf(err); ok && a.Status == http.StatusForbidden {
		subject.add(missing, name, "no, only those of project "+orID(me.Project, me.ProjectID)+": "+a.Error(), admin(me))
		return
	}
	subject.trouble(name, cloud.Trouble("listing servers of all projects", err))
}

func admin(me connect.Identity) string {
	return "an admin grants it with: " + sh.Quote("openstack", "role", "add",
		"--user", orID(me.User, me.UserID), "--project", orID(me.Project, me.ProjectID), "admin")
}

// adminAttributes tells from the servers that were seen whether the token may know where they run.
func adminAttributes(subject *of, s *fleet.Snapshot, source string, me connect.Identity) {
	part, ok := s.Part(source, "servers")
	if !ok || len(part.Facts) == 0 {
		return
	}
	for _, o := range part.Facts {
		if server, ok := o.(*fleet.Server); ok && server.Place.Host != "" {
			subject.add(fine, "sees hosts of servers", "yes", "")
			return
		}
	}
	subject.add(missing, "sees hosts of servers",
		"no: Nova tells OS-EXT-SRV-ATTR to admins only, so that servers cannot be joined with their hypervisors", admin(me))
}

// examineCluster asks an API server for its version. Who strata is there cannot be asked by reading alone.
func examineCluster(ctx context.Context, cluster connect.Cluster) *of {
	subject := &of{subject: "Kubernetes cluster " + cluster.Name}
	if cluster.From != "" {
		subject.subject += " (" + cluster.From + ")"
	}
	client, err := cluster.ForReading(userAgent())
	if err != nil {
		subject.trouble("configured", err)
		return subject
	}
	defer client.Close()
	subject.add(fine, "configured", "user "+cluster.User+" of the kubeconfig at "+cluster.Server, "")
	says, err := serverVersion(ctx, client)
	if err != nil {
		subject.add(broken, "API server", whole(err), "see whether it can be reached: "+sh.Quote("curl", "-k", cluster.Server+"/version"))
		return subject
	}
	subject.add(fine, "API server", says, "")
	return subject
}

func serverVersion(ctx context.Context, client *connect.KubeReading) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, client.Server.JoinPath("version").String(), nil)
	if err != nil {
		return "", fmt.Errorf("asking for the version: %w", err)
	}
	answer, err := client.HTTP.Do(request)
	if err != nil {
		return "", fmt.Errorf("asking for the version: %w", err)
	}
	defer answer.Body.Close()
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	body := json.NewDecoder(io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking for the version: HTTP %s", answer.Status)
	}
	if err := body.Decode(&v); err != nil {
		return "", fmt.Errorf("reading the version: %w", err)
	}
	return v.GitVersion, nil
}
