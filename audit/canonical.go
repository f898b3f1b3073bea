package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mandate-health/mandate/fhir"
)

// Hash is a SHA-256 hash of the Merkle tree.
type Hash = tlog.Hash

// saltSize is the length of a leaf's salt in bytes.
const saltSize = 16

// leafVersion is the first byte of every leaf's record. Another canonical form
// takes another number, so that old leaves stay verifiable.
const leafVersion = 1

// headerForm is the canonical form of what the store keeps in columns. Fields
// are only ever added, at the end and with omitempty: a leaf commits to these
// bytes.
type headerForm struct {
	Tenant   string  `json:"tenant"`
	ID       string  `json:"id"`
	Time     int64   `json:"time_us"`
	Kind     Kind    `json:"kind"`
	Action   string  `json:"action,omitempty"`
	Outcome  Outcome `json:"outcome,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Person   string  `json:"person,omitempty"`
	Client   string  `json:"client,omitempty"`
	Session  string  `json:"session,omitempty"`
	Patient  string  `json:"patient,omitempty"`
	Resource string  `json:"resource,omitempty"`
	Grant    string  `json:"grant,omitempty"`
	Request  string  `json:"request,omitempty"`
}

// bodyForm is the canonical form of what the store seals; the rule of
// headerForm holds.
type bodyForm struct {
	Capacity  *capacityForm     `json:"capacity,omitempty"`
	Version   string            `json:"resource_version,omitempty"`
	Query     string            `json:"query,omitempty"`
	Delivered []string          `json:"delivered,omitempty"`
	Count     int               `json:"count,omitempty"`
	Consents  []string          `json:"consents,omitempty"`
	Token     string            `json:"jti,omitempty"`
	Network   string            `json:"network,omitempty"`
	Detail    map[string]string `json:"detail,omitempty"`
}

type capacityForm struct {
	Kind         fhir.CapacityKind `json:"kind,omitempty"`
	Acting       string            `json:"acting,omitempty"`
	Patient      string            `json:"patient,omitempty"`
	Purpose      string            `json:"purpose,omitempty"`
	Relationship string            `json:"relationship,omitempty"`
}

// header gives the canonical bytes of the event's columns.
func (e Event) header() ([]byte, error) {
	return json.Marshal(headerForm{
		Tenant: e.Tenant, ID: e.ID, Time: e.Time.UnixMicro(), Kind: e.Kind, Action: e.Action, Outcome: e.Outcome, Reason: e.Reason,
		Person: e.PersonID, Client: e.ClientID, Session: e.SessionID, Patient: e.Patient, Resource: e.Resource.String(),
		Grant: e.GrantID, Request: e.RequestID,
	})
}

// body gives the canonical bytes of the event's sealed part.
func (e Event) body() ([]byte, error) {
	f := bodyForm{
		Version: e.ResourceVersion, Query: e.Query, Delivered: e.Delivered, Count: e.Count, Consents: e.Consents,
		Token: e.TokenID, Network: e.Network, Detail: e.Detail,
	}
	if c := e.Capacity; c != (fhir.Capacity{}) {
		f.Capacity = &capacityForm{Kind: c.Kind, Acting: c.Acting.String(), Patient: c.Patient, Purpose: c.Purpose, Relationship: c.Relationship}
	}
	return json.Marshal(f)
}

// Canonical gives the bytes of an event that a leaf commits to: its columns and its
// sealed part. Errors: those of encoding/json.
func (e Event) Canonical() (header, body []byte, err error) {
	if header, err = e.header(); err != nil {
		return nil, nil, err
	}
	body, err = e.body()
	return header, body, err
}

// ReadCanonical gives the event of canonical bytes; body may be nil. Errors: those
// of encoding/json.
func ReadCanonical(header, body []byte) (Event, error) {
	var h headerForm
	if err := json.Unmarshal(header, &h); err != nil {
		return Event{}, err
	}
	e := Event{
		ID: h.ID, Tenant: h.Tenant, Time: time.UnixMicro(h.Time).UTC(), Kind: h.Kind, Action: h.Action, Outcome: h.Outcome, Reason: h.Reason,
		PersonID: h.Person, ClientID: h.Client, SessionID: h.Session, Patient: h.Patient, GrantID: h.Grant, RequestID: h.Request,
	}
	e.Resource, _ = fhir.ParseReference(h.Resource)
	if body == nil {
		return e, nil
	}
	var b bodyForm
	if err := json.Unmarshal(body, &b); err != nil {
		return Event{}, err
	}
	e.ResourceVersion, e.Query, e.Delivered, e.Count = b.Version, b.Query, b.Delivered, b.Count
	e.Consents, e.TokenID, e.Network, e.Detail = b.Consents, b.Token, b.Network, b.Detail
	if b.Capacity != nil {
		e.Capacity = fhir.Capacity{Kind: b.Capacity.Kind, Patient: b.Capacity.Patient, Purpose: b.Capacity.Purpose, Relationship: b.Capacity.Relationship}
		e.Capacity.Acting, _ = fhir.ParseReference(b.Capacity.Acting)
	}
	return e, nil
}

// commit gives the salted commitment to one canonical part; label keeps the
// two parts apart.
func commit(salt []byte, label byte, part []byte) Hash {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte{label})
	h.Write(part)
	return Hash(h.Sum(nil))
}

func headerCommitment(salt, header []byte) Hash { return commit(salt, 'h', header) }

func bodyCommitment(salt, body []byte) Hash { return commit(salt, 'b', body) }

// record is what a leaf is the hash of: its place in the tree and the two
// commitments. Because it holds no ciphertext, re-encryption leaves it alone;
// because the body enters as a commitment, the header of an event stays
// verifiable after its body was lawfully erased (D8).
func record(seq int64, header, body Hash) []byte {
	b := make([]byte, 0, 1+8+2*tlog.HashSize)
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	b = append(b, header[:]...)
	return append(b, body[:]...)
}

// leafHash gives the leaf of an event at a place in the tree (RFC 6962 §2.1).
func leafHash(seq int64, header, body Hash) Hash {
	return tlog.RecordHash(record(seq, header, body))
}
