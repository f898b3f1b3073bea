package backup

import (
	"crypto/ed25519"
	"encoding/json"

	"github.com/mandate-health/mandate/internal/errs"
)

// Evidence is a signed report.
type Evidence struct {
	// Report is signed as these very bytes.
	Report json.RawMessage `json:"report"`
	// Key is the id of the pair of keys, Signature Ed25519 by its reader key.
	Key       string `json:"key"`
	Signature []byte `json:"signature"`
}

// evidence keeps a signature of a report from standing for anything else.
const evidence = "mandate-evidence/1\n"

// SignEvidence signs a report, any value with a JSON form. Errors:
// errs.Internal.
func SignEvidence(key ReaderKey, report any) ([]byte, error) {
	text, err := json.Marshal(report)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "evidence-encoding", "The report has no JSON form.")
	}
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(key.Sign), append([]byte(evidence), text...))
	out, err := json.Marshal(Evidence{Report: text, Key: key.ID, Signature: signature})
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "evidence-encoding", "The report has no JSON form.")
	}
	return out, nil
}

// CheckEvidence gives the report of evidence that the reader key signed.
// Errors: errs.Invalid.
func CheckEvidence(text []byte, key ed25519.PublicKey) (json.RawMessage, error) {
	var e Evidence
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "evidence-unreadable", "The file does not hold the evidence of a drill.")
	}
	if !ed25519.Verify(key, append([]byte(evidence), e.Report...), e.Signature) {
		return nil, errs.New(errs.Invalid, "evidence-forged", "The signature of the evidence does not match: it was changed, or made with another pair of keys.")
	}
	return e.Report, nil
}
