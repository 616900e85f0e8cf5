package connect

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/fleet"
)

// fromEnv makes the cloud that the OS_* variables describe. gophercloud's own reader of them leaves out the domains
// of user and project, which every openrc file sets.
func (s Search) fromEnv() Cloud {
	get := func(names ...string) string {
		for _, n := range names {
			if v := s.Getenv(n); v != "" {
				return v
			}
		}
		return ""
	}
	c := Cloud{Name: EnvCloud, From: "the OS_* variables"}
	c.auth = gophercloud.AuthOptions{
		IdentityEndpoint: get("OS_AUTH_URL"),
		UserID:           get("OS_USER_ID", "OS_USERID"),
		Username:         get("OS_USERNAME"),
		Password:         get("OS_PASSWORD"),
		Passcode:         get("OS_PASSCODE"),
		TokenID:          get("OS_TOKEN", "OS_AUTH_TOKEN"),
		DomainID:         get("OS_USER_DOMAIN_ID"),
		DomainName:       get("OS_USER_DOMAIN_NAME"),

		ApplicationCredentialID:     get("OS_APPLICATION_CREDENTIAL_ID"),
		ApplicationCredentialName:   get("OS_APPLICATION_CREDENTIAL_NAME"),
		ApplicationCredentialSecret: get("OS_APPLICATION_CREDENTIAL_SECRET"),
	}
	if c.auth.DomainID == "" && c.auth.DomainName == "" {
		c.auth.DomainID, c.auth.DomainName = get("OS_DOMAIN_ID"), get("OS_DOMAIN_NAME")
	}
	c.auth.Scope = envScope(get)
	c.endpoint = gophercloud.EndpointOpts{Region: get("OS_REGION_NAME")}
	switch get("OS_INTERFACE", "OS_ENDPOINT_TYPE") {
	case "internal", "internalURL":
		c.endpoint.Availability = gophercloud.AvailabilityInternal
	case "admin", "adminURL":
		c.endpoint.Availability = gophercloud.AvailabilityAdmin
	}
	var err error
	if c.tls, err = envTLS(get); err == nil {
		err = c.complete(get("OS_DEFAULT_DOMAIN"))
	}
	if err != nil {
		c.err = &fleet.Trouble{
			Doing: "reading the OS_* variables", Cause: err,
			Fix: "source the openrc file again and answer its question for the password",
		}
	}
	return c
}

func envScope(get func(...string) string) *gophercloud.AuthScope {
	id, name := get("OS_PROJECT_ID", "OS_TENANT_ID"), get("OS_PROJECT_NAME", "OS_TENANT_NAME")
	switch {
	case get("OS_SYSTEM_SCOPE") == "all":
		return &gophercloud.AuthScope{System: true}
	case get("OS_TRUST_ID") != "":
		return &gophercloud.AuthScope{TrustID: get("OS_TRUST_ID")}
	case id != "":
		return &gophercloud.AuthScope{ProjectID: id}
	case name != "":
		scope := &gophercloud.AuthScope{ProjectName: name, DomainID: get("OS_PROJECT_DOMAIN_ID")}
		if scope.DomainID == "" {
			scope.DomainName = get("OS_PROJECT_DOMAIN_NAME")
		}
		if scope.DomainID == "" && scope.DomainName == "" {
			scope.DomainID = get("OS_DOMAIN_ID")
		}
		if scope.DomainID == "" && scope.DomainName == "" {
			scope.DomainName = get("OS_DOMAIN_NAME")
		}
		return scope
	case get("OS_DOMAIN_ID") != "":
		return &gophercloud.AuthScope{DomainID: get("OS_DOMAIN_ID")}
	case get("OS_DOMAIN_NAME") != "":
		return &gophercloud.AuthScope{DomainName: get("OS_DOMAIN_NAME")}
	}
	return nil
}

func envTLS(get func(...string) string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if path := get("OS_CACERT"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading OS_CACERT: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading OS_CACERT: %s holds no certificate", path)
		}
	}
	if cert, key := get("OS_CERT"), get("OS_KEY"); cert != "" && key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading OS_CERT and OS_KEY: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if v := get("OS_INSECURE"); v != "" {
		insecure, err := strconv.ParseBool(v)
		if err != nil {
			return nil, fmt.Errorf("OS_INSECURE is %q, not true or false", v)
		}
		config.InsecureSkipVerify = insecure
	}
	return config, nil
}
