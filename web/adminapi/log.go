package adminapi

import (
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// checkpoint gives the newest signed checkpoint, the key that verifies it and
// those before and after it, for witnesses.
func (a *API) checkpoint(_ http.ResponseWriter, r *http.Request) (any, error) {
	head, err := a.Ledger.LedgerHead(r.Context(), a.Tenant)
	if err != nil {
		return nil, err
	}
	keys, err := a.KeysOfLog(r.Context())
	if err != nil {
		return nil, err
	}
	return map[string]any{"checkpoint": string(head.Checkpoint), "size": head.Size, "verifier_key": keys.VerifierKey, "keys": keys.Generations()}, nil
}

// consistency proves that the log only grew, from ?old= to ?new= leaves.
func (a *API) consistency(_ http.ResponseWriter, r *http.Request) (any, error) {
	var sizes [2]int64
	for i, name := range []string{"old", "new"} {
		text := r.URL.Query().Get(name)
		if text == "" && name == "new" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errs.New(errs.Invalid, "audit-sizes", "Give the sizes as numbers: ?old=N&new=N.")
		}
		sizes[i] = n
	}
	return audit.ProveConsistency(r.Context(), a.Ledger, a.Tenant, sizes[0], sizes[1])
}

// proof proves that an event stands in the log. What is given out is recorded
// as a look at the log (AU-20).
func (a *API) proof(_ http.ResponseWriter, r *http.Request) (any, error) {
	keys, err := a.KeysOfLog(r.Context())
	if err != nil {
		return nil, err
	}
	p, err := audit.Prove(r.Context(), a.Ledger, keys, mux.Vars(r)["id"])
	if err != nil {
		return nil, err
	}
	e := a.origin(r)
	e.Kind, e.Action, e.Outcome, e.Query, e.Count = audit.AuditRead, "R", audit.Success, "proof="+p.ID, 1
	return p, a.Recorder.Record(r.Context(), e)
}
