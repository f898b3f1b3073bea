package broken

import (
	"net/http"
	"net/url"
	"strings"
)

// under limits a change of answers to paths that hold a part, and to one status.
func under(part string, status int, change func(*http.Response)) func(*http.Response) {
	return func(r *http.Response) {
		if strings.Contains(r.Request.URL.Path, part) && r.StatusCode == status {
			change(r)
		}
	}
}

func status(code int) func(*http.Response) {
	return func(r *http.Response) { r.StatusCode = code }
}

// stateFaults break the state that apps keep.
func stateFaults() []Fault {
	const states = "/app-state/"
	return []Fault{
		{Name: "state is overwritten whatever its version", response: under(states, http.StatusPreconditionFailed, status(http.StatusOK)), Rows: []string{"SMART APS-04"}},
		{Name: "anything is kept as state", response: func(r *http.Response) {
			if strings.Contains(r.Request.URL.Path, states) && r.Request.Method == http.MethodPost && r.StatusCode >= 400 {
				r.StatusCode = http.StatusCreated
			}
		}, Rows: []string{"SMART APS-02"}, Also: []string{"SMART APS-07"}},
		{Name: "each app reaches the state of all", response: under(states, http.StatusForbidden, status(http.StatusOK)),
			Rows: []string{"SMART APS-07", "SMART APS-08"}},
		{Name: "state without a version", response: under(states, http.StatusCreated, header("ETag", "")), Rows: []string{"SMART APS-01"}},
	}
}

// logoutFaults break how an app signs a person out.
func logoutFaults() []Fault {
	const end = "/end-session"
	return []Fault{
		{Name: "the log-out forgets the state", response: under(end, http.StatusSeeOther, func(r *http.Response) {
			to, err := url.Parse(r.Header.Get("Location"))
			if err != nil {
				return
			}
			to.RawQuery = ""
			r.Header.Set("Location", to.String())
		}), Rows: []string{"MANDATE SE-17b"}, Also: []string{"MANDATE SE-17c"}},
		{Name: "the log-out leads anywhere", response: under(end, http.StatusBadRequest, func(r *http.Response) {
			if to := r.Request.URL.Query().Get("post_logout_redirect_uri"); to != "" {
				r.StatusCode = http.StatusSeeOther
				r.Header.Set("Location", to)
			}
		}), Rows: []string{"MANDATE SE-17c"}},
		{Name: "the log-out leaves the person signed in", response: under(end, http.StatusSeeOther, header("Set-Cookie", "")), request: func(r *http.Request) {
			if !strings.Contains(r.URL.Path, end) {
				return
			}
			// The server sees a browser without a session, and ends none.
			q := r.URL.Query()
			q.Del("id_token_hint")
			r.URL.RawQuery = q.Encode()
		}, Rows: []string{"MANDATE SE-17b"}, Also: []string{"MANDATE SE-17c"}},
	}
}

// registrationFaults break the register of clients.
func (p *Proxy) registrationFaults() []Fault {
	const clients = "/admin/clients"
	return []Fault{
		{Name: "anybody changes keys", request: func(r *http.Request) {
			if strings.Contains(r.URL.Path, clients) && r.Method == http.MethodPut {
				p.mu.Lock()
				defer p.mu.Unlock()
				r.Header.Set("Authorization", "Bearer "+p.ready.AdminAPI.Token)
			}
		}, Rows: []string{"SMART REG-05"}},
		{Name: "any key set is registered", response: func(r *http.Response) {
			if strings.HasSuffix(r.Request.URL.Path, clients) && r.Request.Method == http.MethodPost && r.StatusCode == http.StatusBadRequest {
				r.StatusCode = http.StatusCreated
			}
		}, Rows: []string{"SMART REG-06"}},
		{Name: "addresses are kept in another form", response: at(clients, object(func(d map[string]any) {
			list, _ := d["clients"].([]any)
			for _, one := range list {
				client, _ := one.(map[string]any)
				uris, _ := client["redirect_uris"].([]any)
				for i, uri := range uris {
					text, _ := uri.(string)
					uris[i] = text + "/"
				}
			}
		})), Rows: []string{"SMART REG-01"}},
		{Name: "a client is missing among the clients", response: at(clients, object(func(d map[string]any) {
			if list, _ := d["clients"].([]any); len(list) > 0 {
				d["clients"] = list[1:]
			}
		})), Rows: []string{"SMART REG-02"}, Also: []string{"SMART REG-01"}},
		{Name: "the clocks of approval are not shown", response: under(clients, http.StatusCreated, object(drop("clocks"))), Rows: []string{"SMART REG-08"}},
	}
}
