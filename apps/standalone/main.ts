import {placeholder_contract} from '#contract'; console.log(placeholder_contract);
