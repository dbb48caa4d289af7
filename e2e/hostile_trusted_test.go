package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"parley/e2e/parleytest"
)

// named is a case of a request that names its document, by a member or by the extension of stock
// clients.
func named(name string, as *parleytest.Client, request map[string]any) hostileCase {
	body, _ := json.Marshal(request) // maps of strings always marshal
	values := url.Values{}
	for key, value := range request {
		if text, ok := value.(string); ok {
			values.Set(key, text)
			continue
		}
		text, _ := json.Marshal(value)
		values.Set(key, string(text))
	}
	return hostileCase{name: name, attempts: []attempt{{body: string(body), query: values.Encode(), token: as.Token}}}
}

// forbidden: the operation isn't executed, and could be said in no way that is.
func (c hostileCase) forbidden() hostileCase {
	c.want = [5]string{"403 FORBIDDEN", "403 FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"}
	return c
}

// startTrusted starts a server that serves only some documents, by the ids that they have in its file:
// a hash, or any other word. path is that file.
func startTrusted(t *testing.T, documents map[string]string) (node *parleytest.Node, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "documents.json")
	writeTrusted(t, path, documents)
	return startHostile(t, map[string]string{"PARLEY_TRUSTED_DOCUMENTS": path}), path
}

func writeTrusted(t *testing.T, path string, documents map[string]string) {
	t.Helper()
	text, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func hashOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// trusted starts a server with trusted documents, and returns the cases of asking for them, or for others.
func trusted(t *testing.T) (*parleytest.Node, []hostileCase) {
	t.Helper()
	const viewer, room = `query Viewer { viewer { id } }`, `query Room($id: ID!) { room(id: $id) { id name } }`
	const typing = `subscription Typing($id: ID!) { typing(roomId: $id) { users { id } } }`
	const join = `mutation Join($id: ID!) { joinRoom(input: {roomId: $id}) { room { id } } }`
	const create = `mutation CreateRoom($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }`
	hash := hashOf(viewer)
	node, _ := startTrusted(t, map[string]string{"sha256:" + hash: viewer, "room": room, "typing": typing, "join": join, "create": create})
	ada := person(t, node, "ada")
	persisted := func(hash string) map[string]any {
		return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}
	}
	absent := map[string]any{"id": "r_nosuchroom"}
	return node, []hostileCase{
		named("by its hash", ada, map[string]any{"documentId": "sha256:" + hash}).answered("ok"),
		named("by its bare hash", ada, map[string]any{"documentId": hash}).answered("ok"),
		named("by another id", ada, map[string]any{"documentId": "room", "variables": absent}).answered("null"),
		named("as Apollo and urql do", ada, map[string]any{"extensions": persisted(hash)}).answered("ok"),
		named("with its text", ada, map[string]any{"documentId": hash, "query": viewer}).answered("ok"),
		named("a mutation", ada, map[string]any{"documentId": "join", "variables": absent}).mutated("NOT_FOUND"),
		named("a subscription", ada, map[string]any{"documentId": "typing", "variables": absent}).followed("NOT_FOUND"),
		named("a text alone", ada, map[string]any{"query": viewer}).forbidden(),
		named("another text", ada, map[string]any{"documentId": hash, "query": `{ viewer { id } }`}).forbidden(),
		named("another text by hash", ada, map[string]any{"extensions": persisted(hash), "query": `{ viewer { name } }`}).forbidden(),
		named("introspection", ada, map[string]any{"query": `query IntrospectionQuery { __schema { types { name } } }`}).forbidden(),
		named("a subscription's text", ada, map[string]any{"query": typing, "variables": absent}).forbidden(),
		named("an unknown id", ada, map[string]any{"documentId": "nobody"}).refused("BAD_INPUT"),
		named("an unknown hash, with a text", ada, map[string]any{"extensions": persisted("0" + hash[1:]), "query": viewer}).refused("BAD_INPUT"),
	}
}

// TestHostileTrusted: where only trusted documents are served, nothing else is, by any transport.
func TestHostileTrusted(t *testing.T) {
	t.Parallel()
	node, cases := trusted(t)
	runCases(t, node, cases)
}

// TestHostileIntrospection: the schema is shown where that is set, by every transport; and a hash
// without a text is answered so that stock clients send the text.
func TestHostileIntrospection(t *testing.T) {
	t.Parallel()
	const schema, user = `{ __schema { queryType { name } } }`, `{ __type(name: "User") { name } }`
	on := startHostile(t, map[string]string{"PARLEY_INTROSPECTION": "on"})
	ada := person(t, on, "ada")
	runCases(t, on, []hostileCase{
		ask("the schema, on", ada, parleytest.Operation{Query: schema}).answered("ok"),
		ask("a type, on", ada, parleytest.Operation{Query: user}).answered("ok"),
	})
	off := startHostile(t, nil)
	runCases(t, off, []hostileCase{
		ask("the schema", ada, parleytest.Operation{Query: schema}).refused("BAD_INPUT"),
		ask("a type", ada, parleytest.Operation{Query: user}).refused("BAD_INPUT"),
		ask("the schema in a mutation", ada, parleytest.Operation{Query: `mutation { __schema { queryType { name } } }`}).refused("BAD_INPUT"),
		named("a hash alone", ada, map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": "00"}}}).refused("BAD_INPUT"),
	})
}
