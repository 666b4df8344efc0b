package config

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// testCertificates are files by name, all of one authority and two keys.
var testCertificates = sync.OnceValue(func() map[string][]byte {
	now := time.Now()
	key, other := newTestKey(), newTestKey()
	year := now.Add(365 * 24 * time.Hour)
	good := newTestCert(key, now.Add(-time.Hour), year, "www.example.com")
	files := map[string][]byte{
		"www.example.com.pem":            append(good, keyPEM(key)...),
		"live/example.org/fullchain.pem": good,
		"live/example.org/privkey.pem":   keyPEM(key),
		"backends-ca.pem":                good,
		"balancer.pem":                   append(good, keyPEM(key)...),
		"beside.crt":                     good,
		"beside.key":                     keyPEM(key),
		"clients-ca.pem":                 good,
		"nokey.pem":                      good,
		"keyonly.pem":                    keyPEM(key),
		"mismatch.pem":                   append(good, keyPEM(other)...),
		"expired.pem":                    append(newTestCert(key, now.Add(-48*time.Hour), now.Add(-time.Hour), "old.example.com"), keyPEM(key)...),
		"future.pem":                     append(newTestCert(key, now.Add(time.Hour), year, "new.example.com"), keyPEM(key)...),
		"soon.pem":                       append(newTestCert(key, now.Add(-time.Hour), now.Add(24*time.Hour), "soon.example.com"), keyPEM(key)...),
		"nameless.pem":                   append(newTestCert(key, now.Add(-time.Hour), year), keyPEM(key)...),
		"encrypted.pem":                  append(good, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})...),
		"rubbish.pem":                    []byte("no PEM at all"),
		"broken.pem":                     append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}), keyPEM(key)...),
		"huge.pem":                       bytes.Repeat([]byte("x"), maxPEMFile+1),
	}
	return files
})

func newTestKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func newTestCert(key crypto.Signer, from, to time.Time, names ...string) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, DNSNames: names, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return bytes.Clone(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func keyPEM(key crypto.Signer) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// withTLS is a configuration whose frontend has these lines in [frontend.tls].
func withTLS(lines string) string {
	return "[[frontend]]\nlisten = \":443\"\npool = \"web\"\n[frontend.tls]\n" + lines + "\n[pool.web]\n"
}

func TestCertificatesAreReadFromEachPlace(t *testing.T) {
	cfg, err := Parse("t", []byte(withTLS(`certificates = ["www.example.com.pem", "live/example.org/", "beside.crt"]`)), readTestKey)
	if err != nil {
		t.Fatal(err)
	}
	certs := cfg.Frontends[0].TLS.Certificates
	if len(certs) != 3 {
		t.Fatalf("%d certificates", len(certs))
	}
	for _, c := range certs {
		if !bytes.Equal(c.Key, keyPEMOf(t, "beside.key")) || !bytes.Equal(c.Chain, testCertificates()["beside.crt"]) || c.NotAfter.IsZero() {
			t.Errorf("%s is not as in its files", c.File)
		}
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", cfg, certs, certs, certs[0].Key); strings.Contains(shown, "PRIVATE KEY") {
		t.Error("a key is shown")
	}
}

func keyPEMOf(t *testing.T, name string) []byte {
	t.Helper()
	return testCertificates()[name]
}

func TestABadCertificateIsAnErrorThatNamesFileAndRemedy(t *testing.T) {
	for file, words := range map[string][]string{
		"none.pem":      {"cannot read none.pem"},
		"nokey.pem":     {"cannot read nokey.key"},
		"keyonly.pem":   {"keyonly.pem holds no certificate"},
		"mismatch.pem":  {"mismatch.pem", "does not match", "openssl pkey"},
		"encrypted.pem": {"encrypted.pem", "passphrase", "openssl pkey"},
		"rubbish.pem":   {"rubbish.pem holds nothing in PEM form"},
		"broken.pem":    {"broken.pem"},
		"huge.pem":      {"huge.pem is larger"},
	} {
		_, err := Parse("t.toml", []byte(withTLS(fmt.Sprintf("certificates = [%q]", file))), readTestKey)
		var errs Errors
		if !errors.As(err, &errs) {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(errs) != 1 || errs[0].Line != 5 {
			t.Errorf("%s: %v", file, err)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: the error does not say %q:\n%v", file, w, err)
			}
		}
	}
}

func TestACertificateThatClientsWillRefuseIsAWarning(t *testing.T) {
	for file, word := range map[string]string{
		"expired.pem": "expired on", "future.pem": "not valid before", "soon.pem": "expires on", "nameless.pem": "subjectAltName",
	} {
		cfg, err := Parse("t.toml", []byte(withTLS(fmt.Sprintf("certificates = [%q]", file))), readTestKey)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].Msg, word) || !strings.Contains(cfg.Warnings[0].Msg, file) || cfg.Warnings[0].Line != 5 {
			t.Errorf("%s: warnings %v", file, cfg.Warnings)
		}
	}
}

func TestAKeyThatAllMayReadIsRefusedAndACertificateIsNot(t *testing.T) {
	dir := t.TempDir()
	write := func(name, from string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), testCertificates()[from], mode); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "t.toml")
	if err := os.WriteFile(config, []byte(withTLS(`certificates = ["a.crt"]`)), 0o644); err != nil {
		t.Fatal(err)
	}
	write("a.crt", "beside.crt", 0o644)
	write("a.key", "beside.key", 0o600)
	if _, err := Load(config); err != nil {
		t.Errorf("a certificate that all may read: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "a.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(config); err == nil || !strings.Contains(err.Error(), "chmod 600 a.key") {
		t.Errorf("a key that all may read: %v", err)
	}
}
