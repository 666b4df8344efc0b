package keeper

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
)

// pemFiles are made once for each name: a certificate and its key.
var pemFiles = map[string][]byte{}

func pemOf(t *testing.T, name string) []byte {
	t.Helper()
	if b := pemFiles[name]; b != nil {
		return b
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(365 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if strings.HasSuffix(name, "/fullchain.pem") || strings.HasSuffix(name, "/privkey.pem") {
		return pemOf(t, "live.pem")
	}
	pemFiles[name] = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	return pemFiles[name]
}

func TestTheProxyGetsKeysOfTicketsAndNotTheBalancerKey(t *testing.T) {
	text := strings.Replace(reloadBase, "[pool.web]", "[frontend.tls]\ncertificates = [\"a.pem\"]\n[pool.web]", 1)
	start := func(keys ...[]byte) [][]byte {
		c, err := loadReference(t, text)
		if err != nil {
			t.Fatal(err)
		}
		c.Cluster.BalancerKeys = keys
		return proxyStart(c, 1, 0).Frontends[0].TLS.TicketSecrets
	}
	a, b := bytes.Repeat([]byte("a"), 32), bytes.Repeat([]byte("b"), 32)
	if got := start(); got != nil {
		t.Errorf("without a balancer key: %d secrets", len(got))
	}
	lb1, lb2 := start(a, b), start(b, a) // in the middle of a rotation
	if len(lb1) != 2 || !bytes.Equal(lb1[0], lb2[1]) || !bytes.Equal(lb1[1], lb2[0]) {
		t.Error("balancers with the same keys have other secrets")
	}
	if bytes.Equal(lb1[0], a) || bytes.Equal(lb1[0], lb1[1]) {
		t.Error("the secret is the key, or one for both")
	}
	c, err := loadReference(t, strings.Replace(text, "[pool.web]", "session_tickets = false\n[pool.web]", 1))
	if err != nil {
		t.Fatal(err)
	}
	c.Cluster.BalancerKeys = [][]byte{a}
	if got := frontendTLS(c.Frontends[0].TLS, c.Cluster.BalancerKeys); got.TicketSecrets != nil || got.SessionTickets {
		t.Error("secrets of tickets that are not given")
	}
}

// What a certificate's file holds may change under the same name, as at a renewal.
func TestARenewedCertificateIsAChange(t *testing.T) {
	text := strings.Replace(reloadBase, "[pool.web]", "[frontend.tls]\ncertificates = [\"a.pem\"]\n[pool.web]", 1)
	before, err := loadReference(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if changes := config.Diff(before, before); len(changes) != 0 {
		t.Errorf("nothing changed: %v", changes)
	}
	delete(pemFiles, "a.pem")
	after, err := loadReference(t, text)
	if err != nil {
		t.Fatal(err)
	}
	changes := config.Diff(before, after)
	if len(changes) != 1 || changes[0].Key != "frontend.:80.tls.certificates" || !changes[0].Live || strings.Contains(changes[0].String(), "KEY") {
		t.Errorf("a renewed certificate: %v", changes)
	}
}
