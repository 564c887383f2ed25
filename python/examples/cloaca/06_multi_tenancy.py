"""Tutorial 06: a schema of Postgres, and a login, for each tenant. ``CLOACINA_VAR_ADMIN_URL`` names the server.

It prints::

    acme: schema tutorial_acme, user tutorial_acme_user, password of 32 characters
    globex: schema tutorial_globex, user tutorial_globex_user, password of 32 characters
    acme: Completed, 3 records
    globex: Completed, 5 records
    acme with its own login: Completed, 4 records
    a file has no schemas: ValueError
    tenants need Postgres: RuntimeError
    removed acme and globex
"""

from sluice import cloaca

with cloaca.WorkflowBuilder("tenant_data") as builder:
    builder.description("Counts the records of a tenant")

    @cloaca.task()
    def count(context):
        context.set("records", len(context.get("rows", [])))
        return context


class Tenants:
    """Creates tenants, and has a runner for each."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self.admin = cloaca.DatabaseAdmin(admin_url)
        self.credentials: dict[str, cloaca.TenantCredentials] = {}
        self.runners: dict[str, cloaca.DefaultRunner] = {}

    def create(self, name: str) -> None:
        config = cloaca.TenantConfig(schema_name=f"tutorial_{name}", username=f"tutorial_{name}_user", password="")
        made = self.admin.create_tenant(config)
        self.credentials[name] = made
        print(f"{name}: schema {made.schema_name}, user {made.username}, password of {len(made.password)} characters")
        self.runners[name] = cloaca.DefaultRunner.with_schema(self.admin_url, made.schema_name)

    def run(self, name: str, rows: int) -> None:
        result = self.runners[name].execute("tenant_data", cloaca.Context({"rows": list(range(rows))}))
        print(f"{name}: {result.status}, {result.final_context.get('records')} records")

    def remove_all(self) -> None:
        for name, made in self.credentials.items():
            self.runners[name].shutdown()
            self.admin.remove_tenant(made.schema_name, made.username)
        print(f"removed {' and '.join(self.credentials)}")


if __name__ == "__main__":
    tenants = Tenants(cloaca.var("ADMIN_URL"))
    tenants.create("acme")
    tenants.create("globex")
    tenants.run("acme", 3)
    tenants.run("globex", 5)
    with cloaca.DefaultRunner(tenants.credentials["acme"].connection_string) as own:
        result = own.execute("tenant_data", cloaca.Context({"rows": [1, 2, 3, 4]}))
        print(f"acme with its own login: {result.status}, {result.final_context.get('records')} records")
    try:
        cloaca.DefaultRunner.with_schema("sqlite://app.db", "acme")
    except ValueError:
        print("a file has no schemas: ValueError")
    try:
        cloaca.DatabaseAdmin("sqlite://app.db")
    except RuntimeError:
        print("tenants need Postgres: RuntimeError")
    tenants.remove_all()
