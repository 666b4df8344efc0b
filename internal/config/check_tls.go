package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// certSoon is from when on the end of a certificate is worth a warning.
const certSoon = 7 * 24 * time.Hour

// errNotRegular says that what was named as a file is none.
var errNotRegular = errors.New("is not a regular file")

// frontendTLS checks [frontend.tls]; nil if there is none.
func (c *checker) frontendTLS(raw *rawFrontendTLS) *FrontendTLS {
	if raw.Key == (place{}) {
		return nil
	}
	t := &FrontendTLS{
		MinVersion: tlsVersions[raw.MinVersion.V], HandshakeTimeout: raw.HandshakeTimeout.V,
		SessionTickets: raw.SessionTickets.V, StrictSNI: raw.StrictSNI.V, CipherSuites: c.suites(raw),
	}
	if !raw.Certificates.Set && !c.partial {
		c.add(raw.Key, "frontend.tls has no certificates", `for example: certificates = ["/etc/tandem/tls/www.example.com.pem"]`)
	}
	for _, name := range raw.Certificates.V {
		if cert, ok := c.certificate(name); ok {
			t.Certificates = append(t.Certificates, cert)
		}
	}
	if raw.Certificates.Set && !raw.Certificates.Bad && len(raw.Certificates.V) == 0 {
		c.add(raw.Certificates.At, "the list of certificates is empty", "name one file at least, or leave [frontend.tls] out")
	}
	t.ClientCAs = c.authorities(raw.ClientCAFile)
	switch {
	case raw.ClientCAFile.Set:
		t.ClientCerts = raw.ClientCertificate.V
	case raw.ClientCertificate.Set:
		c.add(raw.ClientCertificate.At, "nobody is named whose client certificates are good", `add client_ca_file = "clients-ca.pem"`)
	}
	return t
}

var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// suites looks cipher suites up by their names.
func (c *checker) suites(raw *rawFrontendTLS) (ids []uint16) {
	if raw.Ciphers.Set && raw.MinVersion.V == "1.3" {
		c.add(raw.Ciphers.At, "ciphers are chosen for TLS 1.2 only, which min_version rules out", "leave one of the two out")
	}
	known, weak := map[string]uint16{}, map[string]bool{}
	var names []string
	for _, s := range tls.CipherSuites() {
		if s.SupportedVersions[0] < tls.VersionTLS13 {
			known[s.Name] = s.ID
			names = append(names, s.Name)
		}
	}
	for _, s := range tls.InsecureCipherSuites() {
		weak[s.Name] = true
	}
	for _, t := range raw.Ciphers.V {
		id, ok := known[t.V]
		switch {
		case ok:
			ids = append(ids, id)
		case weak[t.V]:
			c.add(t.At, fmt.Sprintf("%s is broken or without forward secrecy", t.V), "known here: "+strings.Join(names, ", "))
		case strings.HasPrefix(t.V, "TLS_AES_"), strings.HasPrefix(t.V, "TLS_CHACHA20_"):
			c.add(t.At, fmt.Sprintf("%s is of TLS 1.3, whose ciphers are all good and cannot be chosen", t.V), "leave it out")
		default:
			c.add(t.At, fmt.Sprintf("there is no cipher suite %q", t.V), didYouMean(t.V, names))
		}
	}
	return ids
}

// readPEM reads a file of certificates, and keys perhaps. One with a key must not be
// open to all.
func (c *checker) readPEM(t text, file string) (blocks []*pem.Block, ok bool) {
	data, err := c.readFile(file)
	for rest := data; len(data) <= maxPEMFile; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		blocks = append(blocks, b)
	}
	if errors.Is(err, errTooOpen) && !holdsKey(blocks) {
		err = nil
	}
	switch {
	case err != nil:
		remedy := readRemedy(file, err)
		if remedy == keyRemedy(file) { // tandem keygen makes no certificates
			remedy = "is the name right? a relative one means beside this file"
		}
		c.add(t.At, fmt.Sprintf("cannot read %s: %v", file, plain(err)), remedy)
		return nil, false
	case len(data) > maxPEMFile:
		c.add(t.At, fmt.Sprintf("%s is larger than %d bytes", file, maxPEMFile), "is it a PEM file at all?")
		return nil, false
	case len(blocks) == 0:
		c.add(t.At, fmt.Sprintf("%s holds nothing in PEM form", file), "a PEM file has lines such as -----BEGIN CERTIFICATE-----; openssl x509 -inform der makes one of DER")
		return nil, false
	}
	return blocks, true
}

func holdsKey(blocks []*pem.Block) bool {
	for _, b := range blocks {
		if isKey(b) {
			return true
		}
	}
	return false
}

func isKey(b *pem.Block) bool { return strings.HasSuffix(b.Type, "PRIVATE KEY") }

// certificate reads a chain and its key: from one file, or the key from the file
// beside it that ends in .key; or both from a directory as certbot keeps them.
func (c *checker) certificate(t text) (cert Certificate, ok bool) {
	file, keyFile := t.V, strings.TrimSuffix(t.V, path.Ext(t.V))+".key"
	if strings.HasSuffix(t.V, "/") {
		file, keyFile = t.V+"fullchain.pem", t.V+"privkey.pem"
	}
	blocks, ok := c.readPEM(t, file)
	if !ok {
		return cert, false
	}
	if holdsKey(blocks) {
		keyFile = file
	} else {
		more, ok := c.readPEM(t, keyFile)
		if !ok {
			return cert, false
		}
		blocks = append(blocks, more...)
	}
	cert.File = file
	for _, b := range blocks {
		switch {
		case b.Type == "CERTIFICATE":
			cert.Chain = append(cert.Chain, pem.EncodeToMemory(b)...)
		case isKey(b) && (strings.HasPrefix(b.Type, "ENCRYPTED") || b.Headers["DEK-Info"] != ""):
			c.add(t.At, fmt.Sprintf("the key in %s is encrypted with a passphrase", keyFile), "take it off: openssl pkey -in "+keyFile+" -out plain.key")
			return cert, false
		case isKey(b):
			cert.Key = append(cert.Key, pem.EncodeToMemory(b)...)
		}
	}
	return cert, c.pair(t, &cert, keyFile)
}

// pair checks that chain and key belong together, and for how long.
func (c *checker) pair(t text, cert *Certificate, keyFile string) bool {
	if len(cert.Chain) == 0 {
		c.add(t.At, fmt.Sprintf("%s holds no certificate", cert.File), "it needs the server's certificate, and the intermediate ones behind it")
		return false
	}
	if len(cert.Key) == 0 {
		c.add(t.At, fmt.Sprintf("%s holds no private key", keyFile), "put the key into the same file, or beside it with the ending .key")
		return false
	}
	pair, err := tls.X509KeyPair(cert.Chain, cert.Key)
	if err != nil {
		remedy := "compare: openssl x509 -noout -pubkey -in " + cert.File + "; openssl pkey -pubout -in " + keyFile
		if !strings.Contains(err.Error(), "does not match") {
			remedy = "see: openssl x509 -noout -text -in " + cert.File
		}
		c.add(t.At, fmt.Sprintf("the certificate in %s and the key in %s: %s", cert.File, keyFile, strings.TrimPrefix(err.Error(), "tls: ")), remedy)
		return false
	}
	leaf := pair.Leaf
	cert.NotAfter = leaf.NotAfter
	now := c.now()
	switch {
	case leaf.NotAfter.Before(now):
		c.warn(t.At, fmt.Sprintf("the certificate in %s expired on %s: clients will refuse it", cert.File, day(leaf.NotAfter)), "renew it; it is served all the same")
	case leaf.NotBefore.After(now):
		c.warn(t.At, fmt.Sprintf("the certificate in %s is not valid before %s: clients will refuse it until then", cert.File, day(leaf.NotBefore)), "is this machine's clock right?")
	case leaf.NotAfter.Before(now.Add(certSoon)):
		c.warn(t.At, fmt.Sprintf("the certificate in %s expires on %s", cert.File, day(leaf.NotAfter)), "renew it, then: tandem reload")
	}
	if len(leaf.DNSNames) == 0 {
		c.warn(t.At, fmt.Sprintf("the certificate in %s names no host in its subjectAltName: browsers refuse it", cert.File), "have it made anew with one")
	}
	return true
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006 15:04 MST") }

// authorities reads the certificates of those who sign; nil if none are named.
func (c *checker) authorities(t text) []byte {
	if !t.Set || t.Bad {
		return nil
	}
	blocks, ok := c.readPEM(t, t.V)
	if !ok {
		return nil
	}
	var out bytes.Buffer
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(b.Bytes); err != nil {
			c.add(t.At, fmt.Sprintf("%s: %s", t.V, strings.TrimPrefix(err.Error(), "x509: ")), "see: openssl x509 -noout -text -in "+t.V)
			return nil
		}
		out.Write(pem.EncodeToMemory(b))
	}
	if out.Len() == 0 {
		c.add(t.At, fmt.Sprintf("%s holds no certificate", t.V), "it needs those of the authorities to trust, in PEM form")
		return nil
	}
	return out.Bytes()
}
