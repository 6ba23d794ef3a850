"""The table of request methods.

Source: reference page "Finery Markets API", sections 5, 6 and 8. Methods whose layout
no source has are known by name and answer error 1 ("not implemented").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bridge.simulators.finery import money_methods as money
from bridge.simulators.finery import order_methods as orders
from bridge.simulators.finery import read_methods as reads
from bridge.simulators.finery.accounts import Right
from bridge.simulators.finery.engine import Kind
from bridge.simulators.finery.params import Call
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.wire import Json

Method = Callable[[Call], Any]

METHODS: Final[dict[str, Method]] = {
    # orders
    "add": orders.add,
    "authorized/add": orders.authorized_add,
    "mod": orders.mod,
    "del": orders.delete,
    "delAll": orders.delete_all,
    "pending/add": orders.pending_add,
    "pending/del": orders.pending_delete,
    "pending/delAll": orders.pending_delete_all,
    "pending/orders": orders.pending_orders,
    "pending/authorized/add": orders.pending_authorized_add,
    "pending/authorized/del": orders.pending_delete,
    "pending/authorized/delAll": orders.pending_delete_all,
    "pending/authorized/orders": orders.pending_orders,
    "liquidationTrade": orders.liquidation_trade,
    # reads
    "instruments": reads.instruments,
    "book": reads.book,
    "positions": reads.positions,
    "dealHistory": reads.deal_history,
    "authorized/dealHistory": reads.authorized_deal_history,
    "limits": reads.limits,
    "climits": reads.counterparty_limits,
    "cAssetLimits": reads.asset_limits,
    "subaccountsLimits": reads.subaccounts_limits,
    "settlementRequests": reads.settlement_requests,
    "settlementOrders": reads.settlement_orders,
    "settlementTransactions": reads.settlement_transactions,
    "settlementHistory": reads.settlement_history,
    "settlementTransactionHistory": reads.transaction_history,
    "getCounterpartyInfo": reads.counterparty_info,
    "getSubaccounts": reads.subaccounts,
    "qs/getAvailableQsProviders": reads.quote_stream_providers,
    # risk and settlement
    "setCLimit": money.set_limit,
    "delCLimit": money.delete_limit,
    "setLimit": money.set_global_limit,
    "delLimit": money.delete_global_limit,
    "setSubaccountLimit": money.set_subaccount_limit,
    "addIncomingSettlementRequest": money.add_request,
    "delIncomingSettlementRequest": money.delete_request,
    "delIncomingSettlementCPRequest": money.decline_request,
    "addOutgoingSettlementTransaction": money.add_transaction,
    "sendOutgoingSettlementTransaction": money.send_transaction,
    "sendSettlementTransaction": money.send_transaction,
    "delOutgoingSettlementTransaction": money.delete_transaction,
    "commitIncomingSettlementTransaction": money.commit_transaction,
}
NOT_IMPLEMENTED: Final = frozenset(
    {
        "voiceTrade",
        "instrumentMarkups",
        "addInstrumentMarkups",
        "delInstrumentMarkups",
        "getSettings",
        "getUserSettings",
        "setUserSettings",
        "getProviders",
        "getSessions",
        "connectCounterparty",
        "cancelConnectionInvite",
    }
)
_FLOORED: Final = frozenset({"add", "authorized/add"})
_PASSIVE: Final = frozenset({Kind.LIMIT, Kind.POST_ONLY})


def execute(method: str, call: Call) -> Json:
    """Run a method; 8 for an unknown one, 3 without the right to read."""
    if method in NOT_IMPLEMENTED:
        raise Refused(Code.NOT_IMPLEMENTED)
    act = METHODS.get(method)
    if act is None:
        raise Refused(Code.NO_SUCH_METHOD)
    call.need(Right.READ)
    return act(call)


def is_aggressive(method: str, content: object) -> bool:
    """Tell whether the latency floor applies: aggressive taker orders only (6.1)."""
    if method not in _FLOORED or not isinstance(content, dict):
        return False
    kind = orders.TYPES.get(str(content.get("type")))
    return kind is not None and kind not in _PASSIVE
