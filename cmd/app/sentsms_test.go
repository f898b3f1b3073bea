package app_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/notify/sms"
	"github.com/mandate-health/mandate/internal/testpg"
)

// smsGateway is one that takes text messages over TLS.
type smsGateway struct {
	*httptest.Server
	mu    sync.Mutex
	texts []map[string]string
}

func startGateway(t *testing.T) (g *smsGateway, authority string) {
	t.Helper()
	cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	g = &smsGateway{}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		var doc map[string]string
		if r.Header.Get("Authorization") != "Bearer t0ken" || json.Unmarshal(body, &doc) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		g.texts = append(g.texts, doc)
	}))
	g.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	g.StartTLS()
	t.Cleanup(g.Close)
	return g, cert
}

func (g *smsGateway) sent() []map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]map[string]string(nil), g.texts...)
}

var boundCode = regexp.MustCompile(`\n\n@localhost #(\d{8})$`)

// SM-09, SM-14: on two nodes with one PostgreSQL the codes of a person are counted
// together, a code of one node counts at the other, and the gateway gets texts that say
// who asks, name nobody, and are bound to this host.
func TestTextMessagesFromTwoNodes(t *testing.T) {
	gateway, authority := startGateway(t)
	dsn := testpg.Start(t)
	kek := "file:" + filepath.Join(t.TempDir(), "kek.json")
	node := func() teller {
		return teller{start(t, func(c *app.Config) {
			c.Database, c.Keys = dsn, kek
			c.SMS = sms.Config{Gateway: gateway.URL + "/messages", Token: "t0ken", CAFile: authority, More: []string{"from=Lakeside"}}
		}), t}
	}
	one, two := node(), node()
	one.backedUp()
	before := len(gateway.sent())
	var asked *kit.Page
	var b *kit.Browser
	for i := range 7 {
		at := []teller{one, two}[i%2]
		// Both clocks stand at the same time.
		if i == 0 {
			two.forward(t, one.Now().Sub(two.Now()))
		}
		b = at.NewBrowser(kit.Person{Username: "rosa"})
		p := at.asksFor(b, "sms")
		if (p.Status == http.StatusOK) != (i < 5) {
			t.Fatalf("code %d: %d %s", i+1, p.Status, p.Text())
		}
		if i < 5 {
			eventually(t, "no message came", func() bool { return len(gateway.sent()) == before+i+1 })
		}
		if i == 4 {
			asked = p
			last := gateway.sent()[before+4]
			code := boundCode.FindStringSubmatch(last["text"])
			if code == nil || last["to"] != rosasNumber || last["from"] != "Lakeside" || !strings.Contains(last["text"], "Give it to nobody") {
				t.Fatalf("%v", last)
			}
			for _, never := range []string{"Rosa", "rosa", "Alvarez"} {
				if strings.Contains(last["text"], never) {
					t.Errorf("the message names %q: %s", never, last["text"])
				}
			}
			at.says(at.types(b, asked, code[1]), "Hello")
		}
	}
	if n := len(gateway.sent()) - before; n != 5 {
		t.Errorf("%d messages", n)
	}
}
