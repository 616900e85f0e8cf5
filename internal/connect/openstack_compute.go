package connect

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

// Compute returns a client of Nova at microversion 2.minor, or at the newest that is there when it is older than
// that; its Microversion tells. It logs in when needed. Each call returns a value of its own.
func (o *OpenStack) Compute(ctx context.Context, minor int) (*gophercloud.ServiceClient, error) {
	provider, err := o.Provider(ctx)
	if err != nil {
		return nil, err
	}
	where := o.Cloud.endpoint
	where.ApplyDefaults("compute")
	endpoint, err := provider.EndpointLocator(where)
	if err != nil {
		return nil, &noEndpoint{region: where.Region, face: string(where.Availability)}
	}
	newest, err := o.newestMicroversion(ctx, provider, endpoint)
	if err != nil {
		return nil, err
	}
	return &gophercloud.ServiceClient{
		ProviderClient: provider, Endpoint: endpoint, Type: "compute",
		Microversion: fmt.Sprintf("2.%d", max(1, min(minor, newest))),
	}, nil
}

// Keystone returns a client of the identity API, version 3. It logs in when needed.
func (o *OpenStack) Keystone(ctx context.Context) (*gophercloud.ServiceClient, error) {
	provider, err := o.Provider(ctx)
	if err != nil {
		return nil, err
	}
	return &gophercloud.ServiceClient{ProviderClient: provider, Endpoint: o.Cloud.AuthURL(), Type: "identity"}, nil
}

// Renegotiate forgets which microversions are there: Nova was upgraded or rolled back while strata ran.
func (o *OpenStack) Renegotiate() {
	o.mu.Lock()
	o.newest = 0
	o.mu.Unlock()
}

func (o *OpenStack) newestMicroversion(ctx context.Context, p *gophercloud.ProviderClient, endpoint string) (int, error) {
	o.mu.Lock()
	newest := o.newest
	o.mu.Unlock()
	if newest > 0 {
		return newest, nil
	}
	newest, err := askMicroversion(ctx, p, versionRoot(endpoint))
	if err != nil {
		return 0, err
	}
	o.mu.Lock()
	o.newest = newest
	o.mu.Unlock()
	return newest, nil
}

// versionRoot cuts an endpoint after its version: Nova's may end in the project ("/v2.1/3f1c...").
func versionRoot(endpoint string) string {
	for _, v := range []string{"/v2.1/", "/v2/"} {
		if i := strings.LastIndex(endpoint, v); i >= 0 {
			return endpoint[:i+len(v)]
		}
	}
	return endpoint
}

// askMicroversion reads Nova's version document and returns n of the newest microversion 2.n. A Nova that has none,
// or hides the document, is taken as 2.1; a failing one is an error.
func askMicroversion(ctx context.Context, p *gophercloud.ProviderClient, url string) (int, error) {
	type version struct{ ID, Version string }
	var document struct {
		Version  version
		Versions []version
	}
	_, err := p.Request(ctx, http.MethodGet, url, &gophercloud.RequestOpts{
		JSONResponse: &document, OkCodes: []int{http.StatusOK, http.StatusMultipleChoices},
	})
	if a, ok := AnswerOf(err); ok && a.Status >= 403 && a.Status < 429 {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the versions of Nova at %s: %w", url, bare(err))
	}
	newest := 1
	for _, v := range append(document.Versions, document.Version) {
		var minor int
		if n, _ := fmt.Sscanf(v.Version, "2.%d", &minor); n == 1 {
			newest = max(newest, minor)
		}
	}
	return newest, nil
}

// Identity is who the token of a cloud belongs to.
type Identity struct {
	UserID, User       string
	ProjectID, Project string // "" for a token of a system or a domain
	Roles              []string
	Expires            time.Time
}

// Whoami tells who is logged in, logging in when needed. It asks nothing more of the network.
func (o *OpenStack) Whoami(ctx context.Context) (Identity, error) {
	provider, err := o.Provider(ctx)
	if err != nil {
		return Identity{}, err
	}
	result, ok := provider.GetAuthResult().(interface {
		ExtractUser() (*tokens.User, error)
		ExtractProject() (*tokens.Project, error)
		ExtractRoles() ([]tokens.Role, error)
		ExtractToken() (*tokens.Token, error)
	})
	if !ok {
		return Identity{}, fmt.Errorf("reading the token of cloud %s: it is of an unknown form", o.Cloud.Name)
	}
	var me Identity
	if user, err := result.ExtractUser(); err == nil && user != nil {
		me.UserID, me.User = user.ID, user.Name
	}
	if project, err := result.ExtractProject(); err == nil && project != nil {
		me.ProjectID, me.Project = project.ID, project.Name
	}
	if roles, err := result.ExtractRoles(); err == nil {
		for _, r := range roles {
			me.Roles = append(me.Roles, r.Name)
		}
	}
	if token, err := result.ExtractToken(); err == nil {
		me.Expires = token.ExpiresAt
	}
	return me, nil
}
