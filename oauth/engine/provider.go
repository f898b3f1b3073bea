package engine

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/token/jwt"
)

// machine makes the state machine over one unit of work. The handlers are built
// by hand, not by fosite's type-erased composition, so that a missing method is a
// compile error, and only those that the request needs: fosite asks every one it
// knows, and each that does not answer costs an error with its stack. Never
// registered: implicit, hybrid, password, JWT bearer, pushed authorization,
// introspection.
type machine struct {
	cfg      *fosite.Config
	strategy *strategy
	unit     *unit
}

func (e *Engine) machine(u *unit) machine {
	return machine{cfg: u.config(), strategy: &strategy{engine: e, unit: u}, unit: u}
}

// authorize answers authorization requests: with codes, under PKCE.
func (m machine) authorize() *fosite.Fosite {
	m.cfg.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{m.code(), m.openID(), m.proof()}
	return fosite.NewOAuth2Provider(m.unit, m.cfg)
}

// token answers token requests of a grant type that we offer, and none of any
// other. idAtRefresh adds the id_token of a refresh, which only some clients get
// (D2).
func (m machine) token(grantType string, idAtRefresh bool) *fosite.Fosite {
	switch grantType {
	case "authorization_code":
		m.cfg.TokenEndpointHandlers = fosite.TokenEndpointHandlers{m.code(), m.openID(), m.proof()}
	case "refresh_token":
		m.cfg.TokenEndpointHandlers = fosite.TokenEndpointHandlers{&oauth2.RefreshTokenGrantHandler{
			AccessTokenStrategy: m.strategy, RefreshTokenStrategy: m.strategy, TokenRevocationStorage: m.unit, Config: m.cfg,
		}}
		if idAtRefresh {
			m.cfg.TokenEndpointHandlers = append(m.cfg.TokenEndpointHandlers,
				&openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: m.idTokens(), Config: m.cfg})
		}
	case "client_credentials":
		m.cfg.TokenEndpointHandlers = fosite.TokenEndpointHandlers{&oauth2.ClientCredentialsGrantHandler{
			HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: m.strategy, AccessTokenStorage: m.unit, Config: m.cfg},
			Config:       m.cfg,
		}}
	}
	return fosite.NewOAuth2Provider(m.unit, m.cfg)
}

// revocation answers revocation requests.
func (m machine) revocation() *fosite.Fosite {
	m.cfg.RevocationHandlers = fosite.RevocationHandlers{
		&oauth2.TokenRevocationHandler{TokenRevocationStorage: m.unit, RefreshTokenStrategy: m.strategy, AccessTokenStrategy: m.strategy},
	}
	return fosite.NewOAuth2Provider(m.unit, m.cfg)
}

func (m machine) code() *oauth2.AuthorizeExplicitGrantHandler {
	return &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: m.strategy, RefreshTokenStrategy: m.strategy, AuthorizeCodeStrategy: m.strategy,
		CoreStorage: m.unit, TokenRevocationStorage: m.unit, Config: m.cfg,
	}
}

func (m machine) openID() *openid.OpenIDConnectExplicitHandler {
	return &openid.OpenIDConnectExplicitHandler{
		OpenIDConnectRequestStorage:   m.unit,
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(noHints{}, m.cfg),
		Config:                        m.cfg, IDTokenHandleHelper: m.idTokens(),
	}
}

func (m machine) idTokens() *openid.IDTokenHandleHelper {
	return &openid.IDTokenHandleHelper{IDTokenStrategy: m.strategy}
}

func (m machine) proof() *pkce.Handler {
	return &pkce.Handler{AuthorizeCodeStrategy: m.strategy, Storage: m.unit, Config: m.cfg}
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

// form makes the request that fosite sees: only what our own parser let pass,
// and parsed already.
func form(ctx context.Context, values url.Values) *http.Request {
	//nolint:forbidigo // a field, and not the client of that name
	return (&http.Request{Method: http.MethodPost, Form: values, PostForm: values}).WithContext(ctx)
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
