"""Cases of the account feeds O, K, S and P."""

from __future__ import annotations

from tests.unit.venues.finery.cases import Case, begin, live, one

ORDER = (
    '["BTC-USD",0,0,0,1234,77,5990000000000,10000000,8000000,1709716088000,0]',
    (
        "BTC-USD",
        0,
        0,
        0,
        0,
        0,
        1234,
        77,
        5990000000000,
        10000000,
        8000000,
        1709716088000,
        False,
    ),
)
O_SNAPSHOT = f'["O",0,"S",[{ORDER[0]}]]'
O_EMPTY = '["O",0,"S",[]]'

# The real sample of the reference, 21 elements.
MIDDLE_DEAL = (
    '["BTC-USDT",4,0,0,48221507535,0,0,100000000,0,1709716088000,1709716088000,'
    "1864944,0,6674859047619,85000000,5673630190500,0,87,0,0,1864943]"
)
MIDDLE_DEAL_HEAD = (
    *("BTC-USDT", 4, 4, 0, 0, 0, 48221507535, 0, 0, 100000000, 0),
    *(1709716088000, 1709716088000, 1864944, 0, 6674859047619, 85000000),
    *(5673630190500, 0, 87),
)

NEW_DEAL = (
    '["BTC-USD",1,1,0,1240,78,6010000000000,5000000,3000000,1709716090000,'
    "1709716095000,901,0,6010000000000,2000000,120200000000,0,42,0,42,0,0,7,0]"
)

ORDERS = [
    Case(
        "4.10-O-S",
        ("orders",),
        (),
        O_SNAPSHOT,
        [
            begin("orders"),
            one("orders", "SNAPSHOT", "1234", *ORDER[1]),
            live("orders"),
            live("deals"),
        ],
    ),
    Case(
        "4.1-O-S-again-while-live-leaves-deals-alone",
        ("orders",),
        (O_SNAPSHOT,),
        O_EMPTY,
        [begin("orders"), live("orders")],
    ),
    Case(
        "4.1-O-S-filtered",
        ("orders:BTC-EUR",),
        (),
        '["O","BTC-EUR","S",[]]',
        [begin("orders:BTC-EUR"), live("orders:BTC-EUR"), live("deals:BTC-EUR")],
    ),
    Case(
        "4.10-O-+",
        ("orders",),
        (O_EMPTY,),
        '["O",0,"+",["BTC-USD",1,1,0,1240,78,6010000000000,5000000,5000000,'
        "1709716090000,0]]",
        [
            one(
                "orders",
                "ADD",
                "1240",
                *("BTC-USD", 1, 1, 1, 0, 0, 1240, 78, 6010000000000),
                *(5000000, 5000000, 1709716090000, False),
            )
        ],
    ),
    Case(
        "4.10-O---by-client",
        ("orders",),
        (O_EMPTY,),
        '["O",0,"-",["BTC-USD",1,1,1,1240,78,6010000000000,5000000,3000000,'
        "1709716090000,0]]",
        [
            one(
                "orders",
                "REMOVE",
                "1240",
                *("BTC-USD", 1, 1, 1, 1, 1, 1240, 78, 6010000000000),
                *(5000000, 3000000, 1709716090000, False),
            )
        ],
    ),
    Case(
        "4.10-O---on-disconnect",
        ("orders",),
        (O_SNAPSHOT,),
        '["O",0,"-",["BTC-USD",0,0,4,1234,77,5990000000000,10000000,8000000,'
        "1709716088000,0]]",
        [
            one(
                "orders",
                "REMOVE",
                "1234",
                *("BTC-USD", 0, 0, 0, 4, 4, 1234, 77, 5990000000000),
                *(10000000, 8000000, 1709716088000, False),
            )
        ],
    ),
    Case(
        "4.1-O-+-old-without-by-volume",
        ("orders",),
        (O_EMPTY,),
        '["O",0,"+",["BTC-USD",4,0,0,9,0,0,5,5,1709716090000]]',
        [
            one(
                "orders",
                "ADD",
                "9",
                *("BTC-USD", 4, 4, 0, 0, 0, 9, 0, 0, 5, 5, 1709716090000, None),
            )
        ],
    ),
    Case(
        "10.2-O-+-by-volume-rfq-and-extra-element",
        ("orders",),
        (O_EMPTY,),
        '["O",0,"+",["BTC-USD",9,0,3,9,0,0,5,5,1709716090000,1,"new"]]',
        [
            one(
                "orders",
                "ADD",
                "9",
                *("BTC-USD", 9, 8, 0, 3, 3, 9, 0, 0, 5, 5, 1709716090000, True),
            )
        ],
    ),
    Case(
        "10.2-10.3-O-+-unknown-codes",
        ("orders",),
        (O_EMPTY,),
        '["O",0,"+",["BTC-USD",8,0,5,9,0,0,5,5,1709716090000,0]]',
        [
            one(
                "orders",
                "ADD",
                "9",
                *("BTC-USD", 8, 9, 0, 5, 5, 9, 0, 0, 5, 5, 1709716090000, False),
            )
        ],
    ),
    Case(
        "4.10-O-D-new-24",
        ("orders",),
        (O_EMPTY,),
        f'["O",0,"D",{NEW_DEAL}]',
        [
            one(
                "deals",
                "EXECUTE",
                "1240",
                *("BTC-USD", 1, 1, 1, 0, 0, 1240, 78, 6010000000000, 5000000),
                *(3000000, 1709716090000, 1709716095000, 901, 0, 6010000000000),
                *(2000000, 120200000000, 0, 42, False, 42, 0, 0, 0, 7, 0, 0),
            )
        ],
    ),
    Case(
        "4.1-O-D-middle-21-real-sample",
        ("orders",),
        (O_EMPTY,),
        f'["O",0,"D",{MIDDLE_DEAL}]',
        [
            one(
                "deals",
                "EXECUTE",
                "48221507535",
                *MIDDLE_DEAL_HEAD,
                *(False, 0, 1864943, None, None, None, None, None),
            )
        ],
    ),
    Case(
        "4.1-O-D-middle-22",
        ("orders",),
        (O_EMPTY,),
        f'["O",0,"D",{MIDDLE_DEAL[:-1]},2]]',
        [
            one(
                "deals",
                "EXECUTE",
                "48221507535",
                *MIDDLE_DEAL_HEAD,
                *(False, 0, 1864943, 2, 2, None, None, None),
            )
        ],
    ),
    Case(
        "4.1-O-D-old-19",
        ("orders",),
        (O_EMPTY,),
        f'["O",0,"D",{MIDDLE_DEAL.replace(",0,1864943]", "]")}]',
        [
            one(
                "deals",
                "EXECUTE",
                "48221507535",
                *MIDDLE_DEAL_HEAD,
                *(False, None, None, None, None, None, None, None),
            )
        ],
    ),
    Case(
        "4.1-O-D-filtered-by-number",
        ("orders:4955410050",),
        ('["O",4955410050,"S",[]]',),
        f'["O",4955410050,"D",{MIDDLE_DEAL[:-1]},9,3,9]]',
        [
            one(
                "deals:4955410050",
                "EXECUTE",
                "48221507535",
                *MIDDLE_DEAL_HEAD,
                *(False, 0, 1864943, 9, 3, 3, 9, 4),
            )
        ],
    ),
]

POSITIONS = [
    Case(
        "4.2-K-S-new-plain",
        ("positions",),
        (),
        '["K",0,"S",[["BTC",-10000000,2,0,-10000000],'
        '["USD",100000000000,2,100000000000,0]]]',
        [
            begin("positions"),
            one("positions", "SNAPSHOT", "BTC/2", "BTC", -10000000, 2, 0, -10000000),
            one(
                "positions",
                "SNAPSHOT",
                "USD/2",
                *("USD", 100000000000, 2, 100000000000, 0),
            ),
            live("positions"),
        ],
    ),
    Case(
        "4.2-K-S-middle-with-next-id",
        ("positions",),
        (),
        '["K",0,"S",[903,[["BTC",-10000000,2,0,-10000000]]]]',
        [
            begin("positions", "nextId=903"),
            one("positions", "SNAPSHOT", "BTC/2", "BTC", -10000000, 2, 0, -10000000),
            live("positions"),
        ],
    ),
    Case(
        "4.2-K-S-oldest-without-bounds",
        ("positions",),
        (),
        '["K",0,"S",[["BTC",-10000000,2]]]',
        [
            begin("positions"),
            one("positions", "SNAPSHOT", "BTC/2", "BTC", -10000000, 2, None, None),
            live("positions"),
        ],
    ),
    Case(
        "4.2-K-S-empty",
        ("positions",),
        (),
        '["K",0,"S",[]]',
        [begin("positions"), live("positions")],
    ),
    Case(
        "4.2-K-M",
        ("positions",),
        ('["K",0,"S",[]]',),
        '["K",0,"M",["BTC",-8000000,2,-8000000,-8000000]]',
        [one("positions", "MODIFY", "BTC/2", "BTC", -8000000, 2, -8000000, -8000000)],
    ),
    *(
        Case(
            f"4.10-K-{letter}-filtered",
            ("positions:EUR",),
            ('["K","EUR","S",[]]',),
            f'["K","EUR","{letter}",["EUR",-500000000,42,-500000000,-500000000]]',
            [
                one(
                    "positions:EUR",
                    action,
                    "EUR/42",
                    *("EUR", -500000000, 42, -500000000, -500000000),
                )
            ],
        )
        for letter, action in (("+", "ADD"), ("M", "MODIFY"), ("-", "REMOVE"))
    ),
]

SETTLEMENT = (
    (
        '{"settlementOrderId":1229,"clientId":7,"counterpartyId":2,'
        '"createdAt":1709716000000,"comment":"","flags":1,"currency1":"BTC",'
        '"size1":10000000,"network1":"BTC"}'
    ),
    (
        1229,
        7,
        2,
        1709716000000,
        "",
        1,
        "BTC",
        10000000,
        "BTC",
        None,
        None,
        None,
        None,
        None,
    ),
)
SETTLED = SETTLEMENT[0][:-1] + ',"settlementId":902,"commitedAt":1709719600000}'
POSITIONAL = (
    '[1229,"BTC","USD",10000000,100000000000,1709716000000,2,"BTC",""]',
    (
        1229,
        None,
        2,
        1709716000000,
        None,
        None,
        "BTC",
        10000000,
        "BTC",
        "USD",
        100000000000,
        "",
        None,
        None,
    ),
)
S = "settlement-orders"
S_EMPTY = '["S",0,"S",[]]'

SETTLEMENTS = [
    Case(
        "4.10-S-S-new-objects",
        (S,),
        (),
        f'["S",0,"S",[{SETTLEMENT[0]}]]',
        [begin(S), one(S, "SNAPSHOT", "1229", *SETTLEMENT[1]), live(S)],
    ),
    Case(
        "4.3-S-S-old-positional",
        (S,),
        (),
        f'["S",0,"S",[{POSITIONAL[0]}]]',
        [begin(S), one(S, "SNAPSHOT", "1229", *POSITIONAL[1]), live(S)],
    ),
    *(
        Case(
            f"4.3-S-{letter}-new-array",
            (S,),
            (S_EMPTY,),
            f'["S",0,"{letter}",[{SETTLEMENT[0]}]]',
            [one(S, action, "1229", *SETTLEMENT[1])],
        )
        for letter, action in (("+", "ADD"), ("M", "MODIFY"), ("-", "REMOVE"))
    ),
    *(
        Case(
            f"4.3-S-{letter}-old-single",
            (S,),
            (S_EMPTY,),
            f'["S",0,"{letter}",{POSITIONAL[0]}]',
            [one(S, action, "1229", *POSITIONAL[1])],
        )
        for letter, action in (("+", "ADD"), ("M", "MODIFY"), ("-", "REMOVE"))
    ),
    Case(
        "4.3-S-+-oldest-without-networks",
        (S,),
        (S_EMPTY,),
        '["S",0,"+",[1229,"BTC","USD",10000000,100000000000,1709716000000,2]]',
        [
            one(
                S,
                "ADD",
                "1229",
                *(1229, None, 2, 1709716000000, None, None, "BTC", 10000000, None),
                *("USD", 100000000000, None, None, None),
            )
        ],
    ),
    Case(
        "4.3-S-+-two-currencies-and-two-records",
        ("settlement-orders:EUR",),
        ('["S","EUR","S",[]]',),
        '["S","EUR","+",[{"settlementOrderId":1,"counterpartyId":2,"createdAt":3,'
        '"currency1":"BTC","size1":4,"currency2":"EUR","size2":-5,"network2":"SEPA"},'
        f"{SETTLEMENT[0]}]]",
        [
            one(
                "settlement-orders:EUR",
                "ADD",
                "1",
                *(1, None, 2, 3, None, None, "BTC", 4, None, "EUR", -5, "SEPA"),
                *(None, None),
            ),
            one("settlement-orders:EUR", "ADD", "1229", *SETTLEMENT[1]),
        ],
    ),
    Case(
        "4.10-S-D-new",
        (S,),
        (S_EMPTY,),
        f'["S",0,"D",[{SETTLED}]]',
        [one(S, "EXECUTE", "1229", *SETTLEMENT[1][:-2], 902, 1709719600000)],
    ),
    Case(
        "4.3-S-D-old-eleven",
        (S,),
        (S_EMPTY,),
        f'["S",0,"D",{POSITIONAL[0][:-1]},1709719600000,902]]',
        [one(S, "EXECUTE", "1229", *POSITIONAL[1][:-2], 902, 1709719600000)],
    ),
    Case(
        "4.3-S-D-oldest-nine",
        (S,),
        (S_EMPTY,),
        '["S",0,"D",[1229,"BTC","USD",10000000,100000000000,1709716000000,2,'
        "1709719600000,902]]",
        [
            one(
                S,
                "EXECUTE",
                "1229",
                *(1229, None, 2, 1709716000000, None, None, "BTC", 10000000, None),
                *("USD", 100000000000, None, 902, 1709719600000),
            )
        ],
    ),
]

P_SNAPSHOT = f'["P",0,"S",[903,[["BTC",-10000000,2,0,-10000000]],[],[{POSITIONAL[0]}]]]'
P_LIVE = [live("orders"), live("deals"), live("positions"), live(S)]

COMBINED = [
    Case(
        "4.10-P-S",
        ("combined",),
        (),
        P_SNAPSHOT,
        [
            begin("orders", "nextId=903"),
            begin("positions", "nextId=903"),
            begin(S, "nextId=903"),
            one("positions", "SNAPSHOT", "BTC/2", "BTC", -10000000, 2, 0, -10000000),
            one(S, "SNAPSHOT", "1229", *POSITIONAL[1]),
            *P_LIVE,
        ],
    ),
    Case(
        "4.4-P-S-with-order",
        ("combined",),
        (),
        f'["P",0,"S",[904,[],[{ORDER[0]}],[]]]',
        [
            begin("orders", "nextId=904"),
            begin("positions", "nextId=904"),
            begin(S, "nextId=904"),
            one("orders", "SNAPSHOT", "1234", *ORDER[1]),
            *P_LIVE,
        ],
    ),
    Case(
        "4.4-P-then-O-+",
        ("combined",),
        (P_SNAPSHOT,),
        f'["O",0,"+",{ORDER[0]}]',
        [one("orders", "ADD", "1234", *ORDER[1])],
    ),
    Case(
        "4.4-P-then-O--",
        ("combined",),
        (P_SNAPSHOT,),
        f'["O",0,"-",{ORDER[0]}]',
        [one("orders", "REMOVE", "1234", *ORDER[1])],
    ),
    Case(
        "4.4-P-then-O-D",
        ("combined",),
        (P_SNAPSHOT,),
        f'["O",0,"D",{MIDDLE_DEAL}]',
        [
            one(
                "deals",
                "EXECUTE",
                "48221507535",
                *MIDDLE_DEAL_HEAD,
                *(False, 0, 1864943, None, None, None, None, None),
            )
        ],
    ),
    *(
        Case(
            f"4.4-P-then-S-{letter}",
            ("combined",),
            (P_SNAPSHOT,),
            f'["S",0,"{letter}",{POSITIONAL[0]}]',
            [one(S, action, "1229", *POSITIONAL[1])],
        )
        for letter, action in (("+", "ADD"), ("M", "MODIFY"), ("-", "REMOVE"))
    ),
    Case(
        "4.4-P-then-S-D",
        ("combined",),
        (P_SNAPSHOT,),
        f'["S",0,"D",{POSITIONAL[0][:-1]},1709719600000,902]]',
        [one(S, "EXECUTE", "1229", *POSITIONAL[1][:-2], 902, 1709719600000)],
    ),
]

CASES = ORDERS + POSITIONS + SETTLEMENTS + COMBINED
