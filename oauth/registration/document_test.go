package registration_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/registration"
)

// Thousands of addresses without a document make nobody forget a document that is
// in use: it is not fetched again within its time (SMART ASY-14 by analogy).
func TestNothingPushesOutADocumentInUse(t *testing.T) {
	d, _, _ := dynamic(registration.Policy{AutoPatient: true})
	hosts, _ := registration.ReadHosts([]string{"*"})
	const good = "https://app.example/client.json"
	var fetches atomic.Int32
	docs := &registration.Documents{
		Read: d.Read, Clock: d.Clock,
		Of: func(string) (*registration.Dynamic, registration.Hosts) { return d, hosts },
		Fetch: func(_ context.Context, location string) ([]byte, time.Duration, error) {
			if location != good {
				return nil, 0, errors.New("there is nothing")
			}
			fetches.Add(1)
			return []byte(`{"client_id":"` + good + `","client_name":"Wanderer","redirect_uris":["https://app.example/cb"],"scope":"openid launch/patient patient/*.rs"}`), time.Hour, nil
		},
	}
	use := func() {
		t.Helper()
		if c, err := docs.Current(t.Context(), "main", good); err != nil || c.Name != "Wanderer" {
			t.Fatalf("%+v %v", c, err)
		}
	}
	use()
	for i := range 6000 {
		_, err := docs.Current(t.Context(), "main", "https://app.example/"+strings.Repeat("x", 100)+strconv.Itoa(i))
		if !errs.Is(err, errs.InvalidRequest) {
			t.Fatal(err)
		}
	}
	if use(); fetches.Load() != 1 {
		t.Errorf("%d fetches of a document that may be kept for an hour", fetches.Load())
	}
}
