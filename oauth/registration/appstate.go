package registration

import (
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/oauth"
)

// checkStateCodes asks that each state code is written as scopes and states name
// it: an absolute URI as system, and a code (APS-02, APS-08).
func checkStateCodes(c oauth.Client, f *Faults) {
	for name, codes := range map[string][]string{"app_state_codes": c.AppStateCodes, "app_state_read_codes": c.AppStateReadCodes} {
		for _, v := range codes {
			system, code, found := strings.Cut(v, "|")
			u, err := url.Parse(system)
			if !found || code == "" || strings.Contains(code, "|") || err != nil || u.Scheme == "" || len(v) > maxURI {
				f.add(name, "must hold codes such as https://app.example.org|preferences")
				break
			}
		}
	}
}
