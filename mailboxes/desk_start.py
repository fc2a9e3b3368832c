"""What the desk's start page shows above and below the list of its rooms."""

from .charts import charts_of
from .desk_search import sees_mailboxes
from .figures import contract_figures, people_figures
from .todo import request_tasks, tasks_of


def overview(request, site) -> dict:
    """Work and charts for whoever sees mailboxes; a DSB sees requests alone."""
    tasks = request_tasks(request.user)
    if not sees_mailboxes(request, site):
        return {"tasks": tasks}
    people, contract, tenant = people_figures(request.user), contract_figures(request.user), request.user.tenant
    return {
        "tasks": tasks + tasks_of(people, contract, tenant),
        "charts": charts_of(people, contract, tenant),
        "first_steps": not people["mailboxes"],
    }
