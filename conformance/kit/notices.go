package kit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Notice is a message to a person, as a development server shows it.
type Notice struct {
	ID       string `json:"id"`
	PersonID string `json:"person_id"`
	Template string `json:"template"`
	// Args fill the text.
	Args map[string]string `json:"args"`
}

// Notices gives the newest messages to people by their ids.
func (t *Target) Notices(ctx context.Context) (map[string]Notice, error) {
	res, err := t.Do(ctx, Request{URL: t.Outbox})
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, fmt.Errorf("%s", res)
	}
	var body struct {
		Notices []Notice `json:"notices"`
	}
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return nil, err
	}
	out := map[string]Notice{}
	for _, n := range body.Notices {
		out[n.ID] = n
	}
	return out, nil
}
