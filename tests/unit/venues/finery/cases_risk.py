"""Cases of the feeds L, R, N, and G and M of old servers."""

from __future__ import annotations

from tests.unit.venues.finery.cases import Case, begin, live, one

L = "counterparty-limits"
L_EMPTY = '["L",0,"S",[]]'
NONE6 = (None,) * 6

# The documentation's object, section 4.5.
OBJECT = (
    (
        '{"counterpartyId":4,'
        '"tradingPermissions":{"ownTradingEnabled":true,"mutualTradingEnabled":true},'
        '"ownLimit":{"grossLimit":15000000000000,"asset":"EUR","limitUtilization":0,'
        '"equity":0,"maintenanceMargin":1000,"restrictedTrading":1500,'
        '"initialMargin":2000},'
        '"mutualLimit":{"grossLimit":10000000000000,"asset":"USD","limitUtilization":0,'
        '"equity":0}}'
    ),
    (
        *(4, "EUR", None, 15000000000000, None, 0, 0, 1000, 1500, 2000),
        *("USD", 10000000000000, 0, 0, None, None),
        *(True, True, None, None, None, None),
    ),
)
MIDDLE = (
    '[4,"EUR",15000000000000,"USD",10000000000000,7,1000,1500,2000,-3,-100000,2]',
    (
        *(4, "EUR", None, 15000000000000, None, 7, -3, 1000, 1500, 2000),
        *("USD", 10000000000000, None, None, -100000, 2, *NONE6),
    ),
)
MIDDLE_ALONE = (
    '[4,"EUR",15000000000000,null,null,7,1000,1500,2000,-3,0,0]',
    (
        *(4, "EUR", None, 15000000000000, None, 7, -3, 1000, 1500, 2000),
        *(None, None, None, None, 0, 0, *NONE6),
    ),
)
OLD = (
    '["EUR",100,200,-30,40,5,4,600]',
    (4, "EUR", 100, 200, -30, 40, *(None,) * 8, 600, 5, *NONE6),
)
MASTER = (
    (
        '{"counterpartyId":5,"tradingPermissions":{"ownTradingEnabled":true,'
        '"mutualTradingEnabled":false,"ownIncomingFlowEnabled":true,'
        '"mutualIncomingFlowEnabled":false,"ownOutgoingFlowEnabled":true,'
        '"mutualOutgoingFlowEnabled":false}}'
    ),
    (5, *(None,) * 15, True, False, True, False, True, False),
)

CHANGES = (("+", "ADD"), ("M", "MODIFY"), ("-", "REMOVE"))

LIMITS = [
    *(
        Case(
            f"4.5-L-S-{era}",
            (L,),
            (),
            f'["L",0,"S",[{row}]]',
            [begin(L), one(L, "SNAPSHOT", str(fields[0]), *fields), live(L)],
        )
        for era, (row, fields) in {
            "new": OBJECT,
            "new-master": MASTER,
            "middle": MIDDLE,
            "middle-without-mutual": MIDDLE_ALONE,
            "old": OLD,
        }.items()
    ),
    *(
        Case(
            f"4.5-L-{letter}-{era}",
            (L,),
            (L_EMPTY,),
            f'["L",0,"{letter}",{row}]',
            [one(L, action, str(fields[0]), *fields)],
        )
        for letter, action in CHANGES
        for era, (row, fields) in {"new": OBJECT, "middle": MIDDLE, "old": OLD}.items()
    ),
    Case(
        "4.10-L---without-limits",
        (L,),
        (L_EMPTY,),
        '["L",0,"-",{"counterpartyId":4,"tradingPermissions":'
        '{"ownTradingEnabled":false,"mutualTradingEnabled":true}}]',
        [one(L, "REMOVE", "4", 4, *(None,) * 15, False, True, *(None,) * 4)],
    ),
]

R = "settlement-requests"
R_EMPTY = '["R",0,"S",[[],[]]]'
REQUEST = (
    '[4,"BTC",0,6700000000,"note",1634406457410,"BTC",123456,1634405457410]',
    (4, "BTC", 0, 6700000000, "note", 1634406457410, "BTC", 123456, 1634405457410),
)

REQUESTS = [
    Case(
        "4.7-R-S",
        (R,),
        (),
        f'["R",0,"S",[[{REQUEST[0]}],[]]]',
        [begin(R), one(R, "SNAPSHOT", "123456", 0, *REQUEST[1]), live(R)],
    ),
    Case(
        "4.7-R--",
        (R,),
        (R_EMPTY,),
        f'["R",0,"-",[[{REQUEST[0]}],[]]]',
        [one(R, "REMOVE", "123456", 0, *REQUEST[1])],
    ),
    Case(
        "4.7-R-+-both-directions",
        (R,),
        (R_EMPTY,),
        f'["R",0,"+",[[{REQUEST[0]}],[[5,"EUR",1,0,"",0,"",7,8]]]]',
        [
            one(R, "ADD", "123456", 0, *REQUEST[1]),
            one(R, "ADD", "7", 1, 5, "EUR", 1, 0, "", 0, "", 7, 8),
        ],
    ),
    Case(
        "4.7-R-+-older-stops-after-6",
        (R,),
        (R_EMPTY,),
        '["R",0,"+",[[],[[4,"BTC",0,6700000000,"note",1634406457410,"BTC"]]]]',
        [
            one(
                R,
                "ADD",
                "4/BTC/OUTGOING",
                *(1, 4, "BTC", 0, 6700000000, "note", 1634406457410, "BTC"),
                *(None, None),
            )
        ],
    ),
    Case(
        "4.7-R-S-older-stops-after-5",
        (R,),
        (),
        '["R",0,"S",[[[4,"BTC",0,6700000000,"note",1634406457410]],[]]]',
        [
            begin(R),
            one(
                R,
                "SNAPSHOT",
                "4/BTC/INCOMING",
                *(0, 4, "BTC", 0, 6700000000, "note", 1634406457410),
                *(None, None, None),
            ),
            live(R),
        ],
    ),
]

N = "settlement-transactions"
N_EMPTY = '["N",0,"S",[0,[],[]]]'
SENT = (
    (
        '[7,"BTC",10000000,1230,"note",1709716000000,"a79f29",1709716100000,0,0,0,100,'
        '"BTC"]'
    ),
    (
        7,
        "BTC",
        10000000,
        1230,
        "note",
        1709716000000,
        "a79f29",
        1709716100000,
        0,
        0,
        0,
        100,
        "BTC",
    ),
)
COMMITTED = (
    (
        '[7,"BTC",10000000,1230,"note",1709716000000,"a79f29",1709716100000,0,'
        '1709716200000,904,100,"BTC"]'
    ),
    (
        7,
        "BTC",
        10000000,
        1230,
        "note",
        1709716000000,
        "a79f29",
        1709716100000,
        0,
        1709716200000,
        904,
        100,
        "BTC",
    ),
)

TRANSACTIONS = [
    Case(
        "4.10-N-S-reserved-first-element",
        (N,),
        (),
        f'["N",0,"S",[0,[{SENT[0]}],[]]]',
        [begin(N), one(N, "SNAPSHOT", "1230", 0, *SENT[1]), live(N)],
    ),
    Case(
        "4.8-N-S-older-next-id",
        (N,),
        (),
        f'["N",0,"S",[905,[],[{SENT[0]}]]]',
        [begin(N, "nextId=905"), one(N, "SNAPSHOT", "1230", 1, *SENT[1]), live(N)],
    ),
    Case(
        "5.7-N-S-two-elements-as-the-query",
        (N,),
        (),
        f'["N",0,"S",[[{SENT[0]}],[]]]',
        [begin(N), one(N, "SNAPSHOT", "1230", 0, *SENT[1]), live(N)],
    ),
    *(
        Case(
            f"4.8-N-{letter}",
            (N,),
            (N_EMPTY,),
            f'["N",0,"{letter}",[[],[{SENT[0]}]]]',
            [one(N, action, "1230", 1, *SENT[1])],
        )
        for letter, action in CHANGES
    ),
    Case(
        "4.10-N-D",
        (N,),
        (N_EMPTY,),
        f'["N",0,"D",[[{COMMITTED[0]}],[]]]',
        [one(N, "EXECUTE", "1230", 0, *COMMITTED[1])],
    ),
    Case(
        "4.8-N-+-older-without-fee-and-network",
        (N,),
        (N_EMPTY,),
        '["N",0,"+",[[[7,"BTC",1,1230,"",1709716000000,"",0,4,0,0]],[]]]',
        [
            one(
                N,
                "ADD",
                "1230",
                *(0, 7, "BTC", 1, 1230, "", 1709716000000, "", 0, 4, 0, 0),
                *(None, None),
            )
        ],
    ),
]

G = "global-limits"
M = "mutual-limits"

OLD_LIMITS = [
    Case(
        "4.6-G-S",
        (G,),
        (),
        '["G",0,"S",[["USD",100,200,-30,40,0]]]',
        [begin(G), one(G, "SNAPSHOT", "USD", "USD", 100, 200, -30, 40, 0), live(G)],
    ),
    Case(
        "4.6-G-M",
        (G,),
        ('["G",0,"S",[]]',),
        '["G",0,"M",["USD",100,200,-30,40,1]]',
        [one(G, "MODIFY", "USD", "USD", 100, 200, -30, 40, 1)],
    ),
    Case(
        "4.6-M-S",
        (M,),
        (),
        '["M",0,"S",[["USD",100,200,-30,40,0,4,0]]]',
        [begin(M), one(M, "SNAPSHOT", "4", "USD", 100, 200, -30, 40, 4), live(M)],
    ),
    *(
        Case(
            f"4.6-M-{letter}",
            (M,),
            ('["M",0,"S",[]]',),
            f'["M",0,"{letter}",["USD",100,200,-30,40,null,4,null]]',
            [one(M, action, "4", "USD", 100, 200, -30, 40, 4)],
        )
        for letter, action in CHANGES
    ),
]

CASES = LIMITS + REQUESTS + TRANSACTIONS + OLD_LIMITS
