"""Phrasings of the training notes: single ones as they are written, then patterns that stand for many.

In ``[given;got]`` one of the alternatives is taken; an indented line continues the one before; slots are as in
:mod:`pmhc_distil.texts.clinic_phrases`.
"""

TRAINING = """
opening: {age} wet AMD {e} | {age}, nAMD {b} | DMO {b} | inj visit {n} | BRVO {e}, rv | T+E {e} | reviewed today
opening: {age} F/U CRVO {e} | AMD {e} x {n} yrs | seen with daughter | diabetic, {age} | {when} F/U
opening: routine {when} check
one drug: {when} rev + {e} {drug} {code} {price} | {e} {drug} {code} | IVT {drug} {e} | {drug} inj {e}
one drug: {e} IVT {drug} #{n} | {drug} {e} today | given {drug} {e} {site} | {e} inj {drug} uneventful
one drug: {drug} to {e} no complications | {e}: {drug} no. {n} | rx {drug} {e} | {e} {drug} 0.05ml {site}
one drug: had {drug} {e} this morning | injected {e} with {drug} | {drug} given {e} {price}
one drug: proceeded with {drug} {e} | {e} - {drug} inj done | consent, {drug} {e}, {site}
one drug: procedure: {e} intravitreal {drug} | {drug} ({e}) {when}
same drug: {b} {drug} | IVT {drug} {b} | {drug} {b} {code} {price} | {drug} inj {b} today | {b} inj {drug} #{n}
same drug: {when} rev + {b} {drug} | bilateral {drug} | {drug} both sides, no problems | injected {b} with {drug}
same drug: rx {drug} {b} {site}
two drugs: {r} {drug_r} {l} {drug_l} | {drug_r} {r}, {drug_l} {l} | {l} {drug_l} + {r} {drug_r}
two drugs: IVT {drug_l} {l} and {drug_r} {r} | {r}: {drug_r} {l}: {drug_l} {code}
two drugs: inj {drug_r} {r} / {drug_l} {l} {price} | {l} {drug_l} given, {r} {drug_r} given
two drugs: {drug_l} inj {l}, {drug_r} inj {r} {site} | rx {r} {drug_r} #{n}, {l} {drug_l}
two drugs: {when} rev + {r} {drug_r} & {l} {drug_l}
no drug: no inj today | not injected | {old_drug} {e} deferred | obs only | {old_drug} postponed, infection
no drug: no rx {b} | injection cancelled | declined {old_drug} | hold {old_drug} {e} | monitor without treatment
fellow eye: {e} no inj | {e} dry, observe | {e} stable, off {old_drug} | {e} not treated
fellow eye: {e} disciform scar | {e} {old_drug} not needed | fellow {e} quiet
both visions: VA {r} {va_r} {l} {va_l} | {r} {va_r} {l} {va_l} | VA {va_r} {r}, {va_l} {l} | {va_l} {l} and {va_r} {r}
both visions: VA {l} {va_l} {r} {va_r} | vision {r} {va_r}, {l} {va_l} | BCVA {va_r} {r} {va_l} {l}
both visions: V {r} {va_r} / {l} {va_l} | VA: {r}={va_r} {l}={va_l} | reads {va_r} {r}, {va_l} {l}
both visions: sees {va_l} {l} {va_r} {r} | {r} VA {va_r}, {l} VA {va_l} | VA cc {r} {va_r} {l} {va_l}
both visions: {l} {va_l} today, {r} {va_r} | acuity {r} {va_r} & {l} {va_l} | VAs {l} {va_l}, {r} {va_r}
one vision: VA {e} {va} | {e} {va} | {va} {e} | vision {va} {e} | {e} VA {va} | BCVA {e} {va} | {e} reads {va}
one vision: V {va} {e} | {e} sees {va} today | VA: {e} {va}, other eye not checked | VA cc {e} {va}
equal visions: VA {va} {b} | {b} {va} | {b} VA {va} | vision {va} {b} | {va} each eye | V {b} {va} | reads {va} {b}
no vision: VA not done | no VA today | vision not checked | VA n/a | forgot glasses, VA not taken
last vision: last VA {e} {old_va} | was {old_va} {e} {when} ago | {e} {old_va} last visit | prev VA {old_va} {e}
last vision: {date}: {e} {old_va} | {old_va} {e} before {old_drug} | baseline {e} {old_va} | up from {old_va} {e}
last vision: {e} VA was {old_va} in clinic on {date}
last drug: prev {old_drug} {e} x{n} | had {old_drug} {e} {when} ago | last inj {old_drug} {e}
last drug: switched from {old_drug} {e} | failed {old_drug} {e} | {old_drug} {e} on {date}
last drug: {n} x {old_drug} {e} in past | {e} {old_drug} stopped {date} | poor response to {old_drug} {e}
last drug: last visit {old_drug} {e}, VA {old_va}
drops: g. {drop} {b} | {drop} nocte {e} | cont {drop} bd {e} | gutt {drop} qid {e} | {drop} {b} bd | on {drop}
drops: {drop} qid 1/52 post inj | using {drop} {e} | {drop} prn {b}
plan: plan {when} | plan {old_drug} {e} {when} | next visit {old_drug} {e} | rev {when} | book {e} {old_drug} {when}
plan: see {when} | extend to {when} | next: {when} {b} OCT | consider {old_drug} {e} if worse | RTC {when}
plan: TCA {when} ?{old_drug} {e} | for {old_drug} {e} next month
fee: {code} {price} | {price} paid | {price} | fee {price} | gap {price} {code} | bill {price} | inv {price}
findings: OCT dry {b} | SRF {e} | IOP {iop} | IOP {r} {iop} {l} {iop} | IRF {e} on OCT | no haem | OCT fluid {e}
findings: PED {e} | cat {b} | NS 2+ {b} | fundus flat | CMT {e} improved | pt happy | no pain
opening: [{age},;] [AMD;nAMD;DMO;DME;CRVO;BRVO;PDR;CNV;myopic CNV] [pt;patient;{e};{b}] [;reviewed;review;for review]
opening: [came;walked;brought] in [with;by] [wife;husband;son;daughter] | [known;old;long standing;chronic]
  [AMD;CNV;RVO] {e}
opening: [macula;mac;retina;eye] [clinic;visit] [;today;{n}] | [visit;appt;clinic] [no;number] {n} | [follow
  up;F/U;new ref;seen for] {e}
one drug: [given;gave;had;got;received;administered;delivered] {drug} [;to;into;in] {e} [;today;this visit;now;just now]
one drug: {e} [given;got;received;was given;injected with;treated with;jabbed with;inj with] {drug}
  [;today;{code};{price}]
one drug: {drug} [given;administered;injected;completed;performed;delivered;finished;put] [;in;into;to] {e}
  [;ok;well;today;{code};{site}]
one drug: {e} {drug} [inj;injection;jab;shot;dose] [;done;given;today;performed;completed;ok;tolerated;x1] | jab of
  {drug} [to;in;for] {e}
one drug: {drug} [inj;injection;jab;shot] [;was;now] [done;given;completed] {e} | [inj;jab;shot;injection] [of;with;:]
  {drug} [to;into;in] {e} [;ok;{site}]
one drug: [{when} rev;{when} visit;{when} appt;seen;review;check up] [+;&;:;then;with] [{e} {drug};{drug} {e}]
  [;{code};{price};ok]
one drug: [after;with;under] [drops;LA;topical;prep;consent;iodine;time out] [:;-;+;then;,] [{e} {drug};{e} inj
  {drug};{drug} {e};{drug} to {e};{drug} given {e}]
one drug: [consented;prepped;draped;LA] [and;then;,] {drug} [to;inj;in;given] {e} | [today;this visit;now] [;:;for]
  {e} [;with;inj;gets] {drug} [;done;{code}]
one drug: {price} [;{code}] [for;:;-] {drug} [{e};to {e}] | [single;one;x1;1] [;dose] {drug} {e} | {e} [;:;-] {drug}
  x1 [today;done;given]
same drug: {b} [given;got;received;injected with;treated with;were given;jabbed with] {drug} [;today;now;{code}]
same drug: [given;gave;had;got;received;administered] {drug} [;to;into;in] {b} [;today;this visit;now]
same drug: {drug} [given;administered;injected;completed;performed;jabs;shots;inj;x2] [;in;into;to;for] {b}
  [;ok;today;{price}]
same drug: {b} {drug} [inj;jabs;injections;shots;doses] [;done;given;today;ok] | [jab;inj;jabs;shots] [of;with;:]
  {drug} [to;in;for] {b}
same drug: [{when} rev;{when} visit;{when} appt;seen;review;check up] [+;&;:;then;with] [{b} {drug};{drug} {b}]
  [;{code};{price}]
same drug: [two;double;x2;2] [;doses;shots] {drug} {b} | {b} [;:;-] {drug} x2 [today;done;given]
two drugs: {r} [given;got;received;gets;injected with;treated with] {drug_r} [,;and;/;&;then] {l}
  [given;got;received;gets;with] {drug_l} [;{price};today]
two drugs: [given;gave;had;got;received] {drug_r} {r} [and;then;,;plus;/] {drug_l} {l} [;today;{code}]
two drugs: [given;gave;had;got;received] {l} {drug_l} [and;then;,;plus;/] {r} {drug_r} [;today;{code}]
two drugs: {drug_r} [given;injected;completed;performed;inj;jab;shot;to;in] {r} [and;then;,;plus] {drug_l}
  [given;injected;completed;inj;jab;shot;to;in] {l}
two drugs: {drug_l} [given;injected;completed;performed;inj;jab;shot;to;in] {l} [and;then;,;plus] {drug_r}
  [given;injected;completed;inj;jab;shot;to;in] {r}
two drugs: {l} [inj;injection;shot;dose;with;for;gets] {drug_l} [and;then;,;plus] {r}
  [inj;injection;shot;dose;with;for;gets] {drug_r}
two drugs: {r} {drug_r} [done;given;x1;today] [,;and;then] {l} {drug_l} [done;given;x1;today] | {l} {drug_l} x1
  [&;+;with] {r} {drug_r} x1
no drug: [skipped;declined;refused;cancelled;deferred;postponed;withheld;omitted;held;missed;avoided;delayed]
  [{old_drug};inj;jab;treatment] [{e};today;this time;{b}]
no drug: {old_drug} [skipped;declined;cancelled;deferred;withheld;omitted;missed;avoided;delayed;not given;not
  done;not wanted] [;{e};today;this visit]
no drug: [no;without;nil] [jab;shot;injection;treatment;rx] [today;this visit;given;needed;{b};{e}] | [nothing;none]
  [given;injected;needed;done] [;{b}]
no drug: [too;] [unwell;sick;anxious;tired;frail] [so no;for] [{old_drug};jab;injection] [;{e}] | [was;is] not
  [given;treated;injected] [today;{old_drug}]
no drug: [left;remains;still] [alone;untreated without inj;without {old_drug}] {b} | could not [have;get;tolerate]
  {old_drug} {e} [;today] | untreated [today;{b}]
fellow eye: {e} [nothing;nil;none] [given;needed;to do] | {e} [not injected;untreated;left;deferred;checked;only
  looked at;missed;inactive;quiet]
fellow eye: {e} [quiet;inactive;dry;stable;scarred;lazy] [,;:;-] [last;prior;old;earlier;former] {old_drug}
  [years;long;ages;months] [back;before;ago]
fellow eye: {e} [no;without;never had;refused;skipped;not for] {old_drug} | {e} [checked;watched;monitored;scanned]
  [only;and left]
both visions: {r} [sees;reads;manages;has;gets;got;scored] {va_r} [;,;and;/] {l} [reads;manages;has;gets;got;scored]
  {va_l}
both visions: {l} [sees;reads;manages;has;gets;scored] {va_l} [;,;and;/] {r} [sees;reads;manages;has;gets;scored] {va_r}
both visions: [sees;has;manages;best;scored;chart;acuity;acuities;vision;VAs;BCVA] {va_r} [;in;with;for] {r}
  [and;,;/;-] {va_l} [;in;with;for] {l}
both visions: [sees;has;manages;scored;acuity;vision;VAs;BCVA] {va_l} [;in;with;for] {l} [and;,;/;-] {va_r}
  [;in;with;for] {r}
both visions: [best;chart;corrected;unaided;pinhole;ph;letters;acuity;acuities;vision;eyes] [;:;today] {r} {va_r}
  [,;and;-] {l} {va_l}
both visions: [best;chart;corrected;unaided;pinhole;ph;pinhole no help,;letters] [;:] {l} {va_l} [,;and;/;-] {r} {va_r}
one vision: {e} [has;gets;got;scored;can see;reaches;only] {va} [;today;on chart] | {e} [sees;reads;manages]
  [about;only;just;still] {va}
one vision: [best;corrected;unaided;chart;acuity;vision;VA;BCVA] [of;in;for;with;from] {e} [;:;is;=;today] {va} |
  [scored;has;got] {va} [for;with;in] {e}
one vision: {va} [with;from;on chart;measured;today] {e} | {e} [best;chart;acuity;corrected] [;:;is;=] {va} [today;now]
equal visions: {b} [have;get;got;scored;can see;reach;only;best;chart] {va} [;today] | {b} [see;reads;read]
  [;about;still] {va}
equal visions: [same;equal;equally;best;chart;acuity;acuities] [;:;at] {va} [in;with;from] {b} | [VA;vision;acuity]
  [same;equal] [,;at;:] {va}
no vision: [could not;unable to;did not;not able to;refused to;too tired to] [read chart;test VA;check vision;do
  acuity;see chart]
no vision: [VA;vision;acuity;chart] [not taken;not tested;missed;refused;omitted;impossible;pending] | no
  [vision;acuity;chart] [today;taken;tested;recorded]
no vision: [too;very] [tired;confused;upset;unwell] [to test;to read;for chart;, no VA]
last vision: {e} [was;used to be;has been;started at;began at;once;formerly] {old_va} |
  [earlier;before;initially;formerly;prior;previously;old VA;past VA] {e} {old_va}
last vision: [down;up;improved;dropped;worse;better;decline] from {old_va} [in;at;with] {e} | {old_va} [in;with] {e}
  [earlier;before;prior to {old_drug};pre op;pre jab;at baseline]
last vision: [on;at;in;seen] {date} [{e} {old_va};{e} was {old_va};VA {old_va} {e};had {old_va} {e}] | {e} {old_va}
  [pre;before;prior to] {old_drug}
last drug: [earlier;former;previous;prior;past;old;used to get;was on] {old_drug} [in;to;for] {e} |
  [earlier;former;previous;prior;past;old] {e} {old_drug}
last drug: {e} [did poorly;no better;got worse;no response;bad;fared badly] [on;with;after] {old_drug} |
  [got;given;used;had] {old_drug} {e} [until;before;in;up to;since] {date}
last drug: {old_drug} {e} [{when} back;years ago;in the past;earlier;long ago;last time;till {date};until {date}] |
  {when} [ago;before;earlier] {old_drug} [to;in] {e}
last drug: [{n};{n} old;{n} earlier;{n} past;{n} prior] {old_drug} [inj;injections;doses;shots] {e} | {n}
  [earlier;past;prior;former] {old_drug} jabs [to;in] {e}
last drug: [did badly;poor result;was worse] [on;with] {old_drug} {e} | [{when};years] [back;ago] {e} [had;got;given]
  {old_drug}
drops: [still;now;also;not] [using;taking;on] {drop} [;nocte;bd;{e}] | [puts;uses;takes;needs;wants] {drop} [in;for]
  {e} | {drop} [to;into;for] {b}
drops: [new;repeat;needs;wrote;gave] [script;rx] [for;of;:] {drop} [;{b};{e}] | [ran;run;is] out of {drop}
  [{e};today;bottle] | [stop;start;changed to] {drop} {e}
plan: [again;back;return;come;recall] [in;at;after] {when} [;for OCT;with scan] | [come back;see again;next appt]
  [in;at;after] {when}
plan: [will;wants to;to;may] [try;have;get;start;need] {old_drug} [{e};{b}] [;{when};next;later;soon;next appt] |
  [wants;needs;asks for] {old_drug} {e} [next;soon;{when};in future]
plan: {when} [;,] [then;for;and;with] {old_drug} [{e};to {e};next] | {old_drug} [{e};{b}] [next;at next visit;in
  {when};later;in future;another day;planned]
plan: [next;then;later;after that;following] [appt;visit;time] [{old_drug} {b};{old_drug} {e};{b} {old_drug}] |
  [switch to;change to;start;restart] {old_drug} {e} [later;next;{when}]
fee: {price} [due;owed;outstanding;to pay;cash;by card;total] [;{code}] | [owes;owing;paying;paid by
  card;invoice;eftpos;billed] {price} [;{code}] | {code} {price} [card;due;cash]
findings: [scan;OCT;mac scan] [dry;wet;better;worse;flat] {e} | [scan;OCT] {e} [ok;dry;worse;stable] |
  [IOP;tonometry;pressures] [{iop}/{iop};{iop} and {iop}]
findings: [new;old;some;no;less] [blood;fluid;drusen;exudate;oedema;haem] [{e};{b}] |
  [cornea;lens;disc;vitreous;retina;AC] [clear;quiet;ok;deep] [;{b}]
findings: [PCO;PVD;ERM;drusen;pseudophakic;PCIOL;cataract;atrophy] [{e};{b}] | [post seg;ant seg;fundus;fundi]
  [ok;normal;NAD;stable]
one drug: [rec'd;recd;receives;took] {drug} [;to;into] {e} [;today;ok;{code}] | {e} [inj;jab;treatment;injected] w
  {drug} [;today;ok]
one drug: {e} [today;now] [rec'd;treated w;w] {drug} | [treated;injected] {e} w {drug} [;{site};ok]
same drug: [rec'd;recd;receives;took] {drug} [;to;into] {b} [;today;ok] | [treated;injected] {b} w {drug} [;{site};ok]
  | {b} [today;now] [rec'd;treated w;w] {drug}
two drugs: {l} [rec'd;treated w;inj w] {drug_l} [&;+;then] {r} [rec'd;w;inj w] {drug_r} | [rec'd;took] {drug_r} {r}
  [and;;,] {drug_l} {l}
both visions: [Snellen;ETDRS;chart;distance VA] {va_r} [;in;for] {r} [and;,;/] {va_l} [;in;for] {l} | {l} {va_l}
  [and;/;,] {r} {va_r} [Snellen;ETDRS;unaided;corrected]
one vision: [Snellen;ETDRS;distance] {va} [;in;for] {e} | {e} [Snellen;ETDRS;distance] {va} [;today] | {e} {va}
  [Snellen;unaided;corrected;aided]
equal visions: [ETDRS;distance;unaided;corrected] {va} {b} | {b} [Snellen;ETDRS] {va} | Snellen {va} [in;with] {b}
last drug: {e} [refractory;resistant;intolerant] [after;with;despite] {n} {old_drug} | [refractory;resistant] to
  {old_drug} {e} | {old_drug} {e} previously
last vision: previously {old_va} {e} | {e} previously {old_va} | used to [read;see;have] {old_va} {e}
fellow eye: {e} [observed only;observed today;for observation;watch only;left as is] | {e} [prior;previous]
  {old_drug}, [no treatment;observed;left alone today]
plan: [intend;intends;aim for] {old_drug} {e} [;next;{when}] | [repeat;another] {old_drug} {e} [at;after] {when} |
  [appt;booked] [in;for] {when}
fee: [charged;cost;costs;receipt;pays] {code} {price} | {price} [charged;cost;receipt given]
findings: [pressure;tension] {e} {iop} | [pressures;tensions] ok {b} | [tears;lids;lens] [poor;watery;clear] {e}
last vision: [{e} {old_va};{old_va} {e}] [formerly;beforehand;initially;originally;last year;last month;at last
  visit;when first seen]
last vision: [formerly;beforehand;initially;originally;last year;last month;at last visit;when first seen] [;,;:]
  [{old_va} {e};{e} {old_va};{e} VA {old_va}]
last drug: [{e} {old_drug};{old_drug} {e};{old_drug} to {e}] [formerly;beforehand;initially;originally;last year;last
  month;at last visit]
last drug: [formerly;beforehand;initially;originally;last year;last month;at last visit] [;,;:] [{e}
  {old_drug};{old_drug} {e};{old_drug} to {e}]
one drug: [{drug};{drug} {code};{drug} 0.05ml;{drug} {price}] [{site};via {site};at {site}] [to;into;in;-]
  {e}
  [;ok;uneventful;no issues;{code}]
one drug: [{site};{code};{price};{when}] [;:;-;,] [{drug} to {e};{drug} into {e};{e} {drug};{e}: {drug}]
one drug: [eye;side] [;injected] [:;=;-;,] {e} [,;-;/] [drug;agent;anti-VEGF;med] [:;=;-;] {drug} [;{site};{code}]
one drug: [drug;agent;anti-VEGF;med;medication] [:;=;-;] {drug} [,;-;/] [eye;side] [:;=;-;] {e}
one drug: [tolerated;uneventful;successful;routine;quick;straightforward] [{drug} to {e};{drug} into {e};{e} {drug}]
  [;{site};{code};today]
one drug: [charged;billed;paid;fee;cost] {price} [for;incl;with;,;:] [{drug} {e};{e} {drug};{drug} to {e}]
one drug: {e} [active;wet;leaking;worse;fluid;new fluid;SRF;recurrence] [so;:;-;,;therefore;hence] {drug}
  [;given;today;{site}]
one drug: {e} [{drug};{drug} today], [next;rev;again;back;then] [{when};in {when}] | {e} VA stable, {drug}
  [given;today;ok]
same drug: [{drug};{drug} {code};{drug} 0.05ml] [{site};via {site};at {site}] [to;into;in;-] {b} [;ok;{code}]
same drug: [both active;both wet;same day;bilateral inj;bilateral] [:;-;,] {drug} [{b};to {b};into {b}] [;{price};today]
same drug: [drug;agent;anti-VEGF;med] [:;=;-;] {drug} [,;-;/] [eyes;sides] [:;=;-;] {b}
two drugs: [drug;agent;anti-VEGF;med;injected;inj] [:;=;-] {r} [:;=;-;] {drug_r} [,;/;and] {l} [:;=;-;] {drug_l}
two drugs: {r} [{site} {drug_r};{drug_r} {site}] [,;and;then;/] {l} [{site} {drug_l};{drug_l} {site}]
two drugs: {l} [wet;active;worse;leaking] [so;:;-;,] {drug_l} [,;and;/] {r} [wet;active;worse;leaking] [so;:;-;,]
  {drug_r}
both visions: [VA;BCVA;vision] [now;this visit;on arrival;with glasses;cc;sc] [;:;-] {r} {va_r} [,;/;and] {l} {va_l}
both visions: [VA;BCVA;vision] [now;this visit;on arrival;with glasses;cc;sc] [;:;-] {va_l} {l} [,;/;and] {va_r} {r}
both visions: {r} [with glasses;cc;sc;on arrival;stable;same;better;worse] {va_r} [,;/;and] {l} [with
  glasses;cc;sc;stable;same;better;worse] {va_l}
both visions: {va_r} [from;with;via;off] {r} [,;/;and] {va_l} [from;with;via;off] {l} [;with glasses;cc;sc;on arrival]
one vision: [VA;BCVA;vision] [now;this visit;on arrival;with glasses;cc;sc] [;:;-] [{e} {va};{va} {e}] | {va} {e}
  [this visit;now;cc;sc;with glasses;on arrival;stable;improved]
one vision: {e} [with glasses;cc;sc;on arrival;stable;same;better;worse] {va} | {e} [eye;side] [:;=;has;got] {va}
one vision: {e} [{va}, stable;{va}, improved;{va}, worse;{va} - same] | {e} {va} [, other;, fellow; other] eye not
  [tested;done;tried]
equal visions: [VA;BCVA;vision] [now;this visit;on arrival;with glasses;cc;sc] [;:;-] {va} {b} | {va} {b} [this
  visit;now;cc;sc;with glasses;stable]
equal visions: {va} [for each;with both] {b} | [right and left;each side;either eye] {va} | {va} [either
  eye;each side;on both sides]
last vision: [{e} {old_va};{old_va} {e}] [in the past;at baseline;at presentation;pre treatment;some time ago;{when}
  ago;{when} earlier;on referral;at first visit;on {date}]
last vision: [at baseline;at presentation;pre treatment;some time ago;{when} earlier;on referral;at first visit;in the
  past;since] [;,;:] [{e} {old_va};{old_va} {e};{old_va} in {e}]
last vision: {e} [improved;dropped;fell;rose;recovered;declined] from {old_va} | [VA;BCVA;vision] [;on;dated] {date}
  [;:]
  [{old_va} {e};{old_va} in {e}]
last vision: {e} [VA;vision] [in {date};at {date};{when} earlier;before {old_drug}] [;:;was] {old_va} | {old_va} in {e}
  [on {date};{when} earlier;at presentation]
last drug: [{e} {old_drug};{old_drug} {e};{old_drug} to {e};{old_drug} into {e};{e} rx {old_drug}] [in the past;at
  baseline;some time ago;{when} ago;{when} earlier;on {date};x{n} by {date};elsewhere;by other clinic]
last drug: [in the past;some time ago;{when} earlier;on {date};at first;elsewhere;other clinic] [;,;:] [{e}
  {old_drug};{old_drug} {e};{old_drug} to {e};{n} {old_drug} {e}]
last drug: {e} [got;received;needed;finished] {n} {old_drug} [earlier;in the past;by {date};elsewhere;so far] | {e}
  [course;loading;loaded] [of;with] {old_drug} [{date};in the past;completed {date}]
last drug: [stopped;ceased;ended;allergic to;reaction to;came off] {old_drug} [{e};in {e};to {e}] [;{date};{when} ago]
drops: {drop} [ceased;finished;restarted;started;increased;changed;out] [{e};{b};] | [both;each] eyes {drop} | {drop}
  [mane;every night;at bedtime;twice daily] [;{e};{b}]
plan: [see;book;return;recall;F/U;rv;OCT] [{e};{b};] [{when};in {when}] [, ?;with ?;for ?;for poss] {old_drug} |
  [then;next]
  {when} [{e};{b}] {old_drug}
plan: [{old_drug} {e};{e} {old_drug}] [due;booked;ordered;scheduled;requested;approved;on order] [;{when};in {when};next
  month;soon]
plan: [approval;script;PBS;authority;form] [for;of] {old_drug} [;{e};{b}] [;sent;pending;done]
plan: [discussed;offered;considering;thinking about;keen on] [switch to;change to;trying;] {old_drug} [;{e};{b}]
  [;later;next time;soon]
no drug: [{old_drug};inj;jab;treatment] [not needed;not indicated;on hold;stopped;paused;not due;rescheduled;put off]
  [;{e};{b};today]
no drug: [did not want;would not have;not keen on;not due for;too early for;no need for] [{old_drug};inj;treatment]
  [;{e};{b};today]
fellow eye: {e} [fine;unchanged;burnt out;not active;scan dry;nil active] [,;-;:] [no inj;no
  {old_drug};leave;nil;obs;watch]
fellow eye: {e} [on hold;paused;no longer treated;not due;no change;as before] [;, {old_drug} stopped;, {old_drug}
  finished;, had {old_drug} before]
findings: [{e};{b}] [SRF;IRF;PED;haem;oedema;fluid;exudate;drusen] [less;more;gone;same;resolved;new;reduced;persisting]
findings: [{e};{b}] [IOP;pressure;tension] {iop} | [OCT;scan] [:;shows;showed] [no fluid;fluid;PED;drusen;dry] [{e};{b}]
fee: {price} [visit;consult;inj fee;in total;by cheque;to insurer;rebate] | [account;total;rebate;excess] {price}
  [;{code}]
opening: [seen;here;attended] [for;with] [rev;check;AMD;DMO;CRVO;scan] [{e};{b};] | [AMD;DMO;CRVO;BRVO;mCNV]
  [rv;check;clinic] {age}
"""
