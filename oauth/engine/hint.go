package engine

import (
	"context"
	"encoding/json"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// Hint is what an id_token says that an app shows again.
type Hint struct{ ClientID, Subject string }

// Hint reads an id_token of this tenant that may have expired, as id_token_hint
// is (OpenID Connect RP-Initiated Logout §2). It proves nothing about who shows
// it. Errors: errs.Unauthenticated; errs.Unavailable.
func (v *Verifier) Hint(ctx context.Context, tenant, raw string) (Hint, error) {
	site, err := v.Sites.Site(ctx, tenant)
	if err != nil {
		return Hint{}, err
	}
	payload, err := v.Ring.Verify(ctx, tenant, keys.UseIDToken, typID, raw)
	if errs.Is(err, errs.Unauthenticated) {
		payload, err = v.Ring.Verify(ctx, tenant, keys.UseIDTokenES256, typID, raw)
	}
	if err != nil {
		return Hint{}, err
	}
	var c idClaims
	if err := json.Unmarshal(payload, &c); err != nil || c.Issuer != site.Issuer || c.Audience == "" || c.Subject == "" {
		return Hint{}, errs.New(errs.Unauthenticated, "token-invalid", "The token is not valid: it is for another server.")
	}
	return Hint{ClientID: c.Audience, Subject: c.Subject}, nil
}
