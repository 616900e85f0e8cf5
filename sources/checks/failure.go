package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"strata/internal/fleet"
)

// failure puts an error into words. phase is what was being waited for.
func failure(e fleet.Endpoint, phase string, err error) answer {
	wrong, says := inWords(e, phase, err)
	return answer{wrong: wrong, says: says}
}

func inWords(e fleet.Endpoint, phase string, err error) (wrong, says string) {
	var (
		name     *net.DNSError
		network  net.Error
		foreign  *notMySQL
		record   tls.RecordHeaderError
		alert    tls.AlertError
		verify   *tls.CertificateVerificationError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &foreign):
		return "protocol", foreign.Error()
	case errors.As(err, &name) && name.IsNotFound:
		return "name", fmt.Sprintf("the name %s is not known", name.Name)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout", fmt.Sprintf("no %s within %s", phase, e.Timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused", "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable", "no way to it: " + bare(err)
	case errors.As(err, &hostname):
		return "tls", "its certificate is for another name: " + bare(hostname)
	case errors.As(err, &unknown):
		return "tls", "its certificate is signed by an authority that this machine does not know"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "tls", "its certificate is out of date: " + invalid.Detail
	case errors.As(err, &record):
		return "tls", "it does not speak TLS"
	case errors.As(err, &verify), errors.As(err, &invalid), errors.As(err, &alert):
		return "tls", bare(err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "cut", "it closed the connection before the " + phase + " was there"
	}
	return "failed", bare(err)
}

// bare is an error without the addresses in front of it, which stand beside it anyway.
func bare(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
