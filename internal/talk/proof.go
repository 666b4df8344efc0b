package talk

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// Whoever holds a gossip key can say that it is a balancer. So a question about a log is signed, with a key that is
// derived from the balancer key; agents hold its public half alone. What is signed names both ends, and a challenge of
// the agent that asks for it: a question that was recorded is of use for [ChallengeTime] at most, and to nobody who
// does not pose as the balancer that asked.

// ChallengeTime is how long a challenge is good for, at least; twice as long at most.
const ChallengeTime = time.Minute

// Sign proves to agent that asker, a balancer, asks q. q.Challenge is to be what agent has said.
func (q *LogQuestion) Sign(key ed25519.PrivateKey, asker, agent string) error {
	text, err := q.signed(asker, agent)
	if err == nil {
		q.Proof = ed25519.Sign(key, text)
	}
	return err
}

// Proven reports whether asker, a balancer that holds the private half of one of keys, asks q of agent.
func (q LogQuestion) Proven(keys []ed25519.PublicKey, asker, agent string) bool {
	text, err := q.signed(asker, agent)
	for _, key := range keys {
		if err == nil && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, text, q.Proof) {
			return true
		}
	}
	return false
}

// signed returns what is signed: all of q but the proof, and who asks whom.
func (q LogQuestion) signed(asker, agent string) ([]byte, error) {
	q.Proof = nil
	b, err := json.Marshal(struct {
		What         string
		Asker, Agent string
		Question     LogQuestion
	}{"tandem log question", asker, agent, q})
	if err != nil {
		return nil, fmt.Errorf("talk: sign: %w", err)
	}
	return b, nil
}

// Challenges are an agent's: they follow from the time and a secret of this run, so none needs to be remembered.
type Challenges struct{ Secret [32]byte }

// For returns the challenge of asker at that time.
func (c Challenges) For(asker string, now time.Time) []byte {
	return c.of(asker, now.Unix()/int64(ChallengeTime/time.Second))
}

// Good reports whether asker's challenge is the present one, or the one before.
func (c Challenges) Good(challenge []byte, asker string, now time.Time) bool {
	window := now.Unix() / int64(ChallengeTime/time.Second)
	return hmac.Equal(challenge, c.of(asker, window)) || hmac.Equal(challenge, c.of(asker, window-1))
}

func (c Challenges) of(asker string, window int64) []byte {
	h := hmac.New(sha256.New, c.Secret[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(window)))
	h.Write([]byte(asker))
	return h.Sum(nil)
}
