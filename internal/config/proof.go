package config

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// provenWord begins the line of a gossip key file that holds a public key of the balancers.
const provenWord = "balancer "

// ProofKey derives from a balancer key the one with which balancers prove to agents, and to each other where an order
// is given, that they are some; nil for nil. It is of no other use, and does not lead back to the balancer key.
func ProofKey(balancerKey []byte) ed25519.PrivateKey {
	if balancerKey == nil {
		return nil
	}
	seed, err := hkdf.Key(sha256.New, balancerKey, nil, "tandem: a balancer asks an agent, 1", ed25519.SeedSize)
	if err != nil {
		panic(err) // only if the seed were to be longer than 8 KiB
	}
	return ed25519.NewKeyFromSeed(seed)
}

// PublicLine is the line for gossip key files by which agents know those who hold balancerKey. It is no secret.
func PublicLine(balancerKey []byte) string {
	public := ProofKey(balancerKey).Public().(ed25519.PublicKey)
	return provenWord + base64.StdEncoding.EncodeToString(public)
}

// parsePublic reads what follows provenWord.
func parsePublic(s string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is not followed by the base64 text of %d bytes", provenWord, ed25519.PublicKeySize)
	}
	return key, nil
}
