package scim

import (
	"net/http"

	"github.com/mandate-health/mandate/identity/directory"
)

func user(r *http.Request, status int, u directory.User, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	v, err := shown(r, directory.Users(), u)
	return answer{status, v, u.Meta.Version, u.Meta.Location}, err
}

func findUsers(d Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	q, err := asked(r, directory.Users())
	if err != nil {
		return answer{}, err
	}
	page, err := d.Users.Find(r.Context(), c, q)
	if err != nil {
		return answer{}, err
	}
	var all []any
	for _, u := range page.Users {
		v, err := shown(r, directory.Users(), u)
		if err != nil {
			return answer{}, err
		}
		all = append(all, v)
	}
	return listed(page.Total, q.Start, all), nil
}

func createUser(d Deps, c directory.Caller, r *http.Request, body map[string]any) (answer, error) {
	u, err := d.Users.Create(r.Context(), c, body)
	return user(r, http.StatusCreated, u, err)
}

func oneUser(d Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	u, err := d.Users.One(r.Context(), c, id(r))
	return user(r, http.StatusOK, u, err)
}

func replaceUser(d Deps, c directory.Caller, r *http.Request, body map[string]any) (answer, error) {
	u, err := d.Users.Replace(r.Context(), c, id(r), body)
	return user(r, http.StatusOK, u, err)
}

func changeUser(d Deps, c directory.Caller, r *http.Request, body map[string]any) (answer, error) {
	u, err := d.Users.Change(r.Context(), c, id(r), body)
	return user(r, http.StatusOK, u, err)
}

func deleteUser(d Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	return answer{status: http.StatusNoContent}, d.Users.Delete(r.Context(), c, id(r))
}

func group(r *http.Request, g directory.Members, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	v, err := shown(r, directory.Groups(), g)
	return answer{http.StatusOK, v, g.Meta.Version, g.Meta.Location}, err
}

func findGroups(d Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	q, err := asked(r, directory.Groups())
	if err != nil {
		return answer{}, err
	}
	found, err := d.Groups.AllGroups(r.Context(), c, q.Filter, true)
	if err != nil {
		return answer{}, err
	}
	var all []any
	for i, g := range found {
		if i < q.Start-1 || len(all) == q.Count {
			continue
		}
		v, err := shown(r, directory.Groups(), g)
		if err != nil {
			return answer{}, err
		}
		all = append(all, v)
	}
	return listed(len(found), q.Start, all), nil
}

func oneGroup(d Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	g, err := d.Groups.OneGroup(r.Context(), c, id(r))
	return group(r, g, err)
}

func makeGroup(d Deps, c directory.Caller, r *http.Request, body map[string]any) (answer, error) {
	return answer{status: http.StatusCreated}, d.Groups.MakeGroup(r.Context(), c, body)
}

func replaceGroup(d Deps, c directory.Caller, r *http.Request, body map[string]any) (answer, error) {
	g, err := d.Groups.ReplaceGroup(r.Context(), c, id(r), body)
	return group(r, g, err)
}

func changeGroup(d Deps, c directory.Caller, r *http.Request, body map[string]any) (answer, error) {
	g, err := d.Groups.ChangeGroup(r.Context(), c, id(r), body)
	return group(r, g, err)
}

func dropGroup(d Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	return answer{status: http.StatusNoContent}, d.Groups.DropGroup(r.Context(), c, id(r))
}
