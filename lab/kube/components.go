package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (l *lab) startEtcd() error {
	port := freePort()
	l.etcd = fmt.Sprintf("http://127.0.0.1:%d", port)
	l.self("etcd", "-dir", l.file("etcd"), "-client", l.etcd, "-peer", fmt.Sprintf("http://127.0.0.1:%d", freePort()))
	up := waitFor(30*time.Second, func() bool {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	if !up {
		return fmt.Errorf("etcd did not start, see %s", l.file("etcd.log"))
	}
	return nil
}

func (l *lab) startAPIServer() error {
	args := []string{
		"--etcd-servers=" + l.etcd,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + strconv.Itoa(l.port),
		"--cert-dir=" + l.file("certs"), // self-signed, made at the first start
		"--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + l.file("sa.key"), "--service-account-signing-key-file=" + l.file("sa.key"),
		"--token-auth-file=" + l.file("tokens.csv"),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--endpoint-reconciler-type=none",            // 127.0.0.1 is not a legal endpoint address
		"--disable-admission-plugins=ServiceAccount", // a pod needs no account when nothing makes them
		"--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000",
		"--v=1",
	}
	l.self("apiserver", append(args, strings.Fields(l.apiArgs)...)...)
	client := &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // its own loopback server
	}
	ready := waitFor(120*time.Second, func() bool {
		request, err := http.NewRequest(http.MethodGet, l.server+"/readyz", nil)
		must(err)
		request.Header.Set("Authorization", "Bearer "+l.adminToken)
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	if !ready {
		return fmt.Errorf("the API server is not ready, see %s", l.file("apiserver.log"))
	}
	return nil
}

// startRest starts what works through the API server.
func (l *lab) startRest() {
	shared := []string{
		"--kubeconfig=" + l.file("kubeconfig-admin"), "--bind-address=127.0.0.1", "--leader-elect=false",
		fmt.Sprintf("--kube-api-qps=%d", l.qps), fmt.Sprintf("--kube-api-burst=%d", 2*l.qps), "--v=1",
	}
	if l.kcm {
		args := append([]string{
			"--secure-port=" + strconv.Itoa(freePort()), "--cert-dir=" + l.file("kcm-certs"),
			"--service-account-private-key-file=" + l.file("sa.key"),
			"--use-service-account-credentials=false",
			"--node-monitor-grace-period=20s", "--node-monitor-period=2s",
		}, shared...)
		l.self("kcm", append(args, strings.Fields(l.kcmArgs)...)...)
	}
	if l.scheduler {
		args := []string{"--secure-port=" + strconv.Itoa(freePort()), "--cert-dir=" + l.file("scheduler-certs")}
		l.self("scheduler", append(args, shared...)...)
	}
	if l.kwok != "" {
		args := []string{
			l.kwok, "--kubeconfig=" + l.file("kubeconfig-admin"), "--server-address=127.0.0.1:" + strconv.Itoa(freePort()),
			"--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
		}
		l.run("kwok", append(args, strings.Fields(l.kwokArgs)...)...)
	}
}
