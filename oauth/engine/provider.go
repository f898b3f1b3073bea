package engine

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/token/jwt"
)

// provider gives the state machine over one unit of work. The handlers are
// built by hand, not by fosite's type-erased composition, so that a missing
// method is a compile error. Never registered: implicit, hybrid, password,
// JWT bearer, pushed authorization. idAtRefresh adds the id_token of a
// refresh, which only some clients get (D2).
func (e *Engine) provider(u *unit, idAtRefresh bool) *fosite.Fosite {
	cfg := u.config()
	s := &strategy{engine: e, unit: u}
	code := &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: s, RefreshTokenStrategy: s, AuthorizeCodeStrategy: s,
		CoreStorage: u, TokenRevocationStorage: u, Config: cfg,
	}
	idTokens := &openid.IDTokenHandleHelper{IDTokenStrategy: s}
	oidc := &openid.OpenIDConnectExplicitHandler{
		OpenIDConnectRequestStorage:   u,
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(noHints{}, cfg),
		Config:                        cfg, IDTokenHandleHelper: idTokens,
	}
	proof := &pkce.Handler{AuthorizeCodeStrategy: s, Storage: u, Config: cfg}
	cfg.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{code, oidc, proof}
	cfg.TokenEndpointHandlers = fosite.TokenEndpointHandlers{
		code,
		&oauth2.RefreshTokenGrantHandler{
			AccessTokenStrategy: s, RefreshTokenStrategy: s, TokenRevocationStorage: u, Config: cfg,
		},
		&oauth2.ClientCredentialsGrantHandler{
			HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: s, AccessTokenStorage: u, Config: cfg},
			Config:       cfg,
		},
		oidc,
		proof,
	}
	if idAtRefresh {
		cfg.TokenEndpointHandlers = append(cfg.TokenEndpointHandlers,
			&openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: idTokens, Config: cfg})
	}
	cfg.TokenIntrospectionHandlers = fosite.TokenIntrospectionHandlers{
		&oauth2.CoreValidator{CoreStrategy: s, CoreStorage: u, Config: cfg},
	}
	cfg.RevocationHandlers = fosite.RevocationHandlers{
		&oauth2.TokenRevocationHandler{TokenRevocationStorage: u, RefreshTokenStrategy: s, AccessTokenStrategy: s},
	}
	return fosite.NewOAuth2Provider(u, cfg)
}

// config gives fosite's settings. Scopes were judged before, so fosite
// compares them exactly with what was judged; redirect URIs were compared
// exactly with the registered ones.
func (u *unit) config() *fosite.Config {
	return &fosite.Config{
		AuthorizeCodeLifespan: CodeLife,
		ScopeStrategy:         fosite.ExactScopeStrategy,
		EnforcePKCE:           true,
		RefreshTokenScopes:    []string{},
		MinParameterEntropy:   1,
		TokenURL:              u.site.TokenURL,
		ClientSecretsHasher:   noSecrets{},
		RedirectSecureChecker: func(context.Context, *url.URL) bool { return true },
		ClientAuthenticationStrategy: func(context.Context, *http.Request, url.Values) (fosite.Client, error) {
			return u.client, nil
		},
	}
}

// form makes the request that fosite sees: only what our own parser let pass.
func form(ctx context.Context, target string, values url.Values) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r, nil
}

// noSecrets refuses every secret: clients are authenticated before fosite.
type noSecrets struct{}

func (noSecrets) Compare(context.Context, []byte, []byte) error { return fosite.ErrInvalidClient }

func (noSecrets) Hash(context.Context, []byte) ([]byte, error) { return nil, fosite.ErrInvalidClient }

// noHints is the signer by which fosite would read id_token_hint, which is
// never passed on.
type noHints struct{}

var _ jwt.Signer = noHints{}

func (noHints) Generate(context.Context, jwt.MapClaims, jwt.Mapper) (string, string, error) {
	return "", "", fosite.ErrInvalidRequest
}

func (noHints) Validate(context.Context, string) (string, error) {
	return "", fosite.ErrInvalidRequest
}

func (noHints) Hash(context.Context, []byte) ([]byte, error) { return nil, fosite.ErrInvalidRequest }

func (noHints) Decode(context.Context, string) (*jwt.Token, error) {
	return nil, fosite.ErrInvalidRequest
}

func (noHints) GetSignature(context.Context, string) (string, error) {
	return "", fosite.ErrInvalidRequest
}

func (noHints) GetSigningMethodLength(context.Context) int { return 0 }

// second cuts a time to whole seconds, the precision of tokens.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
